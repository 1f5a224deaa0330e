// Finds one collective in a stream of operations, with all that belongs to it: a given one, or the
// slowest. For the debugger's traces, live and from files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analyze/debug/collective_trace.hpp"
#include "collect/collector.hpp"
#include "trace/reader.hpp"

namespace peerscope {

struct WantedCollective {
  std::optional<std::uint64_t> comm;      // none: any
  std::optional<std::uint64_t> sequence;  // none: the slowest
  std::optional<Kind> kind;               // none: any
};

// Memory: the last kKept operations and as many marks, and those of the collective itself.
class CollectiveFinder final : public Sink {
 public:
  static constexpr std::size_t kKept = 1 << 18;
  using Text = std::function<std::string(std::uint32_t process, std::uint16_t name)>;

  explicit CollectiveFinder(const WantedCollective& wanted) : wanted_(wanted) {}

  void on_ops(std::span<const Op> ops) override;
  void on_collective(const Collective& collective) override;
  void on_phase(const PhaseMark& phase) override;
  void on_completion(const Completion& completion) override;
  void on_mark(const Mark& mark);  // of a file

  [[nodiscard]] bool found() const { return found_; }
  // Once everything has been read. Nothing found: no ranks.
  [[nodiscard]] CollectiveTrace trace(const Text& text) const;
  // Kinds among the operations that have the wanted number, where that is not enough to tell (NCCL).
  [[nodiscard]] const std::vector<Kind>& kinds() const { return kinds_; }
  // Sequences of the wanted kind and communicator that were seen; first > last: none.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> seen() const { return {least_, most_}; }

 private:
  // A ring: what is overwritten is the oldest.
  template <class T>
  struct Recent {
    std::vector<T> items;
    std::size_t next = 0;
    void add(const T& item) {
      if (items.size() < kKept) {
        items.push_back(item);
      } else {
        items[next] = item;
        next = (next + 1) % kKept;
      }
    }
  };
  [[nodiscard]] bool passes(const Op& op) const;
  void take(const Op& which, std::int64_t from_ns, std::int64_t until_ns);
  void keep_if_part(const Op& op);

  WantedCollective wanted_;
  Recent<Op> recent_;
  Recent<PhaseMark> phases_;
  Recent<Completion> completions_;
  std::vector<Op> part_;  // of the collective, and messages beside it
  std::vector<PhaseMark> part_phases_;
  std::vector<Completion> part_completions_;
  std::vector<Kind> kinds_;
  Op which_;
  std::int64_t from_ns_ = 0, until_ns_ = 0;
  std::pair<int, std::int64_t> best_{-1, -1};  // how much is known, and how long it took
  std::uint64_t least_ = UINT64_MAX, most_ = 0;
  bool found_ = false;
};

// Reads all of a trace.
Result<CollectiveTrace> find_collective(const TraceReader& trace, CollectiveFinder& finder);

}  // namespace peerscope
