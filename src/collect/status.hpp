// What a segment says beside its records.
#pragma once

#include <vector>

#include "collect/collector.hpp"

namespace peerscope {

ProcessStatus status_of(const SegmentView& segment);  // without what only a reader knows
void append_in_flight(const SegmentView& segment, Decoder& decoder, const ClockMap& clock, std::vector<InFlight>& out);
void append_metrics(const SegmentView& segment, std::uint32_t process, std::vector<MetricValue>& out);

}  // namespace peerscope
