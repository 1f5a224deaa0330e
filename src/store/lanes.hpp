// The lanes of a timeline, in the order in which they are shown.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "store/chunk_density.hpp"
#include "store/view.hpp"

namespace peerscope {

class Lanes {
 public:
  // Those that the index knows.
  Lanes(const StoreView& view, Intervals which);
  // A lane in the order in which it was met; lanes that the index does not know yet are added.
  std::uint32_t number_of(const TimelineLane& lane);
  // The first lane of a process' rank; absent: none.
  [[nodiscard]] const std::uint32_t* first_of(std::uint32_t process, std::uint16_t rank) const;

  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

  struct Order {
    std::vector<TimelineLane> lanes;
    std::vector<std::uint32_t> place;  // of each number
  };
  [[nodiscard]] Order order() const;

 private:
  using Key = std::tuple<bool, std::uint16_t, std::uint32_t, std::uint32_t, std::uint16_t>;
  static Key key_of(const TimelineLane& lane) {
    return {lane.other, lane.rank, lane.process, lane.thread, lane.stream};
  }
  std::map<Key, std::uint32_t> numbers_;  // in the order in which they are shown
};

}  // namespace peerscope
