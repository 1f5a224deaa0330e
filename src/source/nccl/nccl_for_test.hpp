// What tests of the plugin share: the built library behind a fake NCCL, and a reader of what it records.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>

#include "collect/collector_for_test.hpp"
#include "record/ticks.hpp"
#include "source/nccl/fake_nccl.hpp"

namespace peerscope {

// The plugin's session is the process': one directory for all tests of a run.
inline const RuntimeDir& nccl_runtime_dir() {
  static const RuntimeDir dir;
  static const bool set = setenv("PEERSCOPE_RUNTIME_DIR", dir.path().c_str(), 1) == 0;
  static_cast<void>(set);
  return dir;
}

class NcclTest : public testing::Test {
 protected:
  NcclTest() : dir_(nccl_runtime_dir()) { unsetenv("PEERSCOPE_OVERHEAD__BUDGET"); }

  // What the plugin has recorded of a communicator since the last call.
  struct Recorded {
    std::vector<Op> operations, device_times;
  };
  Recorded recorded(std::uint64_t hash) {
    if (!reader_) reader_ = std::make_unique<Reader>(dir_);
    reader_->poll_all();
    Recorded out;
    for (const Op& op : reader_->keeper.ops) {
      if (op.comm == hash) (op.device_only ? out.device_times : out.operations).push_back(op);
    }
    reader_->keeper.ops.clear();
    return out;
  }
  double metric(const std::string& name) {
    if (!reader_) reader_ = std::make_unique<Reader>(dir_);
    reader_->poll_all();
    for (const MetricValue& m : reader_->collector.metrics()) {
      if (m.name == name) return m.value;
    }
    return -1;
  }
  void set_level(Level level) {
    if (!reader_) reader_ = std::make_unique<Reader>(dir_);
    reader_->poll_all();
    EXPECT_EQ(reader_->collector.set_level(level), 1);
  }

  static FakeNccl fake(int version) {
    Result<FakeNccl> loaded = FakeNccl::load(PSCOPE_NCCL_PLUGIN, version);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
    return *loaded;
  }
  static FakeNccl exact(int version) {  // channels always
    setenv("PEERSCOPE_OVERHEAD__BUDGET", "100 %", 1);
    return fake(version);
  }

  static std::uint64_t hash() {
    static std::uint64_t next = 0x7000;
    return ++next;
  }

  const RuntimeDir& dir_;
  std::unique_ptr<Reader> reader_;
};

// Channels that start one after the other by `apart_ns` and each take `ns`, from a moment of the device's clock on.
inline std::vector<FakeNccl::Channel> channels(std::uint8_t first, int count, std::uint64_t at_ns,
                                               std::uint64_t apart_ns, std::uint64_t ns) {
  std::vector<FakeNccl::Channel> all;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t start = at_ns + static_cast<std::uint64_t>(i) * apart_ns;
    all.push_back({static_cast<std::uint8_t>(first + i), start, start + ns});
  }
  return all;
}

inline std::uint64_t device_now() { return clock_ns(CLOCK_REALTIME); }

}  // namespace peerscope
