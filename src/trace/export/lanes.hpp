// Which track an interval is drawn on. Intervals of one track have to nest or follow each other;
// what overlaps otherwise (asynchronous operations, above all) goes to a further track beside it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace peerscope {

enum class LaneKind : std::uint8_t { host, device, marks };

// A thread or stream of a rank of a process.
struct LaneKey {
  std::uint32_t process = 0;
  std::uint16_t rank = 0;
  LaneKind kind = LaneKind::host;
  std::uint32_t number = 0;  // thread or stream
  auto operator<=>(const LaneKey&) const = default;
};

// One track. Memory: at most kDeepest times.
class Lane {
 public:
  // Whether the interval fits; if so it is taken. Intervals may come in any order.
  bool take(std::int64_t begin_ns, std::int64_t end_ns);

 private:
  static constexpr std::size_t kDeepest = 32;
  std::vector<std::int64_t> open_;  // ends of the intervals around the next, outermost first
  std::int64_t free_from_ns_ =
      INT64_MIN;  // nothing that is taken begins or ends after, but `open_`
};

class Lanes {
 public:
  struct Place {
    std::size_t index = 0;   // of all places, in the order of their first use
    std::size_t beside = 0;  // 0: the thread's or stream's own track
    bool is_new = false;
  };
  Place place(const LaneKey& key, std::int64_t begin_ns, std::int64_t end_ns);

 private:
  struct Numbered {
    Lane lane;
    std::size_t index = 0;
  };
  std::map<LaneKey, std::vector<Numbered>> lanes_;
  std::size_t count_ = 0;
};

}  // namespace peerscope
