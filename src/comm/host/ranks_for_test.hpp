// Threads as ranks, for the tests of the host device.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "comm/host/host.hpp"

namespace peerscope {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitised = true;  // several times slower: tests do less of the same
#else
inline constexpr bool kSanitised = false;
#endif

using RankBody = std::function<void(Communicator&)>;

// Opens every rank of a fresh world and runs `body` for each on a thread of its own.
inline void run_ranks(const HostOptions& options, const RankBody& body) {
  const Result<HostWorld> world = HostWorld::create(options);
  ASSERT_TRUE(world) << world.error().message;
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < options.ranks; ++rank) {
    Result<std::unique_ptr<Communicator>> opened = world->open(rank);
    ASSERT_TRUE(opened) << opened.error().message;
    ranks.push_back(std::move(*opened));
  }
  std::vector<std::jthread> threads;
  for (const auto& rank : ranks) threads.emplace_back([&body, &rank] { body(*rank); });
}

inline std::string text_of(const Status& status) { return status ? "ok" : status.error().message; }

}  // namespace peerscope
