// A communicator over any Transport: plans, chunks and channels.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <tuple>

#include "comm/communicator.hpp"
#include "comm/cost_model.hpp"
#include "comm/executor.hpp"
#include "comm/plan.hpp"
#include "comm/transport.hpp"
#include "comm/tuned_choices.hpp"

namespace peerscope {

class ChannelCommunicator final : public Communicator {
 public:
  // `pool`: this rank's registered memory, within the transport's.
  ChannelCommunicator(Identity identity, std::unique_ptr<Transport> transport,
                      std::span<std::byte> pool, const CostModel& costs, TunedChoices tuned = {});

  Pool* pool() override { return &pool_; }

 protected:
  Result<Algorithm> choose(const Call& call) const override;
  Status admit(const Call& call) override;
  Status perform(const Operation& operation, Marks& marks) override;

 private:
  using PlanKey = std::tuple<Kind, Algorithm, int>;  // the last: root or peer
  Status admit_one_sided(const Call& call) const;
  Status move_one_sided(const Call& call);

  std::unique_ptr<Transport> transport_;
  Pool pool_;
  CostModel costs_;
  TunedChoices tuned_;  // what was measured; asked before the model
  Executor executor_;
  std::map<PlanKey, Plan> plans_;
  const Plan* plan_ = nullptr;  // of the call that was admitted last
  struct Choice {
    std::uint64_t bytes = UINT64_MAX;
    Algorithm algorithm = Algorithm::direct;
  };
  mutable std::array<Choice, PSCOPE_KIND_COUNT> choices_{};  // the last of each kind: sizes repeat
};

}  // namespace peerscope
