// What was sampled, in the words of everything downstream: operations and collectives. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/collective.hpp"
#include "model/op.hpp"
#include "source/exllama/tracker.hpp"

namespace peerscope::exllama {

// Ranks are the devices of the context in their order.
std::uint16_t rank_of(std::uint32_t devices, int device);
std::uint64_t comm_of(const std::string& path, std::uint64_t inode);  // never 0

// One a device. A size that is unknown has no place in an Op: then there are none. Without `joined` they
// belong to no communicator: nobody shall take two arrivals in one sample for arrivals at one time.
void append_ops(const Observed& observed, std::uint64_t comm, std::uint32_t process, bool joined,
                std::vector<Op>& out);

// Of what timed() is true for. Arrivals are when samples saw them: late by up to the time between two.
// `arrivals` must outlive the result.
Collective collective_of(const Observed& observed, std::uint64_t comm,
                         std::array<Arrival, kMaxDevices>& arrivals);

// Whoever is in what is open.
void append_in_flight(const Waiting& waiting, std::uint32_t devices, std::uint64_t comm,
                      std::uint32_t process, std::int64_t now_ns, std::vector<InFlight>& out);

}  // namespace peerscope::exllama
