#include "store/lanes.hpp"

namespace peerscope {

Lanes::Lanes(const StoreView& view, Intervals which) {
  const DensityView& density = which.device ? view.index->device : view.index->host;
  for (const TimelineLane& lane : density.lanes)
    numbers_.emplace(key_of(lane), static_cast<std::uint32_t>(numbers_.size()));
}

std::uint32_t Lanes::number_of(const TimelineLane& lane) {
  const auto other = numbers_.find(key_of({0, 0, kNoRank, 0, true}));
  if (other != numbers_.end() && !numbers_.contains(key_of(lane))) return other->second;
  return numbers_.emplace(key_of(lane), static_cast<std::uint32_t>(numbers_.size())).first->second;
}

const std::uint32_t* Lanes::first_of(std::uint32_t process, std::uint16_t rank) const {
  const auto at = numbers_.lower_bound({false, rank, process, 0, 0});
  if (at == numbers_.end() || std::get<0>(at->first) || std::get<1>(at->first) != rank ||
      std::get<2>(at->first) != process)
    return nullptr;
  return &at->second;
}

Lanes::Order Lanes::order() const {
  Order order;
  order.place.resize(numbers_.size());
  for (const auto& [key, number] : numbers_) {
    const auto& [other, rank, process, thread, stream] = key;
    order.place[number] = static_cast<std::uint32_t>(order.lanes.size());
    order.lanes.push_back({process, thread, rank, stream, other});
  }
  return order;
}

}  // namespace peerscope
