// What a segment says beside its records.
#pragma once

#include <vector>

#include "collect/collector.hpp"

namespace peerscope {

ProcessStatus status_of(const SegmentView& segment);  // without what only a reader knows
void append_in_flight(const SegmentView& segment, Decoder& decoder, const ClockMap& clock,
                      std::vector<InFlight>& out);
// The end of its newest record, or its last sign of life if that is later.
std::int64_t last_activity_ns(const SegmentView& segment, const Decoder& decoder,
                              const ClockMap& clock);
void append_metrics(const SegmentView& segment, std::uint32_t process,
                    std::vector<MetricValue>& out);

}  // namespace peerscope
