#include "analyze/profile/period.hpp"

#include <algorithm>
#include <cmath>

#include "model/size_class.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kLeast = 24;        // operations below which nothing can be said
constexpr std::size_t kLeastPeriods = 3;  // seen, before it is a period
constexpr double kGood = 0.5;             // of agreement beyond chance
constexpr double kAsGood = 0.01;  // the shortest lag that is as good as the best is the period
constexpr double kGapsAsGood = 0.1;

std::size_t longest_lag(std::size_t n) { return n / kLeastPeriods; }

// The shortest lag (from 1) that is within `slack` of the best; 0: none is good.
std::size_t shortest_good(const std::vector<double>& agreement, double slack, bool peaks) {
  double best = 0;
  for (std::size_t lag = 1; lag < agreement.size(); ++lag) best = std::max(best, agreement[lag]);
  if (best < kGood) return 0;
  for (std::size_t lag = 1; lag < agreement.size(); ++lag) {
    const bool peak =
        !peaks || ((lag == 1 || agreement[lag] >= agreement[lag - 1]) &&
                   (lag + 1 == agreement.size() || agreement[lag] >= agreement[lag + 1]));
    if (peak && agreement[lag] >= best - slack) return lag;
  }
  return 0;
}

// Symbols numbered from 0, so that they can be counted and compared quickly.
std::vector<std::uint16_t> dense(std::span<const StreamOp> stream, std::vector<double>& shares) {
  std::map<std::uint32_t, std::uint16_t> numbers;
  std::vector<std::uint16_t> out;
  out.reserve(stream.size());
  for (const StreamOp& op : stream) {
    const auto next = static_cast<std::uint16_t>(numbers.size());
    out.push_back(numbers.try_emplace(op.symbol, next).first->second);
  }
  shares.assign(numbers.size(), 0);
  for (const std::uint16_t symbol : out) shares[symbol] += 1.0 / static_cast<double>(out.size());
  return out;
}

std::vector<double> sequence_agreement(const std::vector<std::uint16_t>& symbols, double chance) {
  const std::size_t n = symbols.size();
  std::vector<double> out(longest_lag(n) + 1, 0.0);
  for (std::size_t lag = 1; lag < out.size(); ++lag) {
    std::uint32_t equal = 0;
    const std::uint16_t* a = symbols.data();
    const std::uint16_t* b = symbols.data() + lag;
    for (std::size_t i = 0; i < n - lag; ++i) equal += a[i] == b[i] ? 1 : 0;
    const double share = static_cast<double>(equal) / static_cast<double>(n - lag);
    out[lag] = (share - chance) / (1 - chance);
  }
  return out;
}

// Logarithms of the gaps, the outermost of them drawn in: one long pause must not be all that counts.
std::vector<double> gaps_of(std::span<const StreamOp> stream) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < stream.size(); ++i) {
    const std::int64_t gap = stream[i].begin_ns - stream[i - 1].begin_ns;
    gaps.push_back(std::log2(1.0 + static_cast<double>(std::max<std::int64_t>(gap, 0))));
  }
  std::vector<double> sorted = gaps;
  std::sort(sorted.begin(), sorted.end());
  const double high = sorted[sorted.size() - 1 - sorted.size() / 1000];
  for (double& gap : gaps) gap = std::min(gap, high);
  return gaps;
}

struct Centred {
  std::vector<float> values;
  double variance = 0;
};
Centred centred(const std::vector<double>& values) {
  Centred out;
  double mean = 0;
  for (const double x : values) mean += x / static_cast<double>(values.size());
  for (const double x : values) {
    out.values.push_back(static_cast<float>(x - mean));
    out.variance += (x - mean) * (x - mean) / static_cast<double>(values.size());
  }
  return out;
}

std::vector<double> gap_agreement(const Centred& gaps) {
  const std::size_t n = gaps.values.size();
  std::vector<double> out(longest_lag(n) + 1, 0.0);
  for (std::size_t lag = 1; lag < out.size(); ++lag) {
    double sum = 0;
    for (std::size_t i = 0; i < n - lag; ++i)
      sum += static_cast<double>(gaps.values[i] * gaps.values[i + lag]);
    out[lag] = sum / static_cast<double>(n - lag) / gaps.variance;
  }
  return out;
}

// How long `lag` operations take: median, and the median distance from it.
void time_period(std::span<const StreamOp> stream, std::size_t lag, Periodicity& period) {
  std::vector<double> times;
  for (std::size_t i = lag; i < stream.size(); ++i)
    times.push_back(static_cast<double>(stream[i].begin_ns - stream[i - lag].begin_ns));
  const auto median = [](std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  };
  period.period_ns = median(times);
  for (double& time : times) time = std::fabs(time - period.period_ns);
  period.period_mad_ns = median(times);
}

void accept(std::span<const StreamOp> stream, std::size_t lag, double agreement, const char* basis,
            Periodicity& period) {
  period.found = true;
  period.period_ops = lag;
  period.iterations = stream.size() / lag;
  period.basis = basis;
  const double seen = 1.0 - 1.0 / static_cast<double>(period.iterations);
  period.confidence = std::clamp(agreement, 0.0, 1.0) * seen;
  time_period(stream, lag, period);
}

constexpr double kSameGap = 0.15;  // standard deviation in octaves: within 11 %

}  // namespace

Periodicity find_period(std::span<const StreamOp> stream) {
  Periodicity period;
  period.operations = stream.size();
  if (stream.size() < kLeast) {
    period.why_not = stream.empty() ? "no operation was recorded"
                                    : "too few operations to see one repeat itself";
    return period;
  }
  if (stream.back().begin_ns <= stream.front().begin_ns) {
    period.why_not = "all operations begin at the same time";
    return period;
  }
  std::vector<double> shares;
  const std::vector<std::uint16_t> symbols = dense(stream, shares);
  if (shares.size() > 1) {
    double chance = 0;
    for (const double share : shares) chance += share * share;
    const std::vector<double> agreement = sequence_agreement(symbols, chance);
    const std::size_t lag = shortest_good(agreement, kAsGood, false);
    if (lag > 0) {
      accept(stream, lag, agreement[lag], "sequence of operations", period);
    } else {
      period.why_not = "the sequence of operations does not repeat itself";
    }
    return period;
  }
  const Centred gaps = centred(gaps_of(stream));
  if (std::sqrt(gaps.variance) < kSameGap) {
    accept(stream, 1, 1.0, "gaps between operations", period);
    return period;
  }
  const std::vector<double> agreement = gap_agreement(gaps);
  const std::size_t lag = shortest_good(agreement, kGapsAsGood, true);
  if (lag > 0) {
    accept(stream, lag, agreement[lag], "gaps between operations", period);
  } else {
    period.why_not = "all operations are alike, and the gaps between them do not repeat themselves";
  }
  return period;
}

std::uint32_t StreamKeeper::symbol_of(const Op& op) {
  const Identity identity{op.comm, std::uint64_t{op.peer} << 16 |
                                       std::uint64_t{size_class(op.bytes)} << 8 |
                                       static_cast<std::uint64_t>(op.kind)};
  if (last_symbol_ != 0 && identity == last_identity_) return last_symbol_;
  constexpr std::size_t kMaxSymbols = 1U << 16;
  const auto found = symbols_.find(identity);
  std::uint32_t symbol = 1U << 16;  // all that is beyond shares one
  if (found != symbols_.end()) {
    symbol = found->second;
  } else if (symbols_.size() + 1 < kMaxSymbols) {
    symbol = static_cast<std::uint32_t>(symbols_.size()) + 1;
    symbols_.emplace(identity, symbol);
  }
  last_identity_ = identity;
  return last_symbol_ = symbol;
}

void StreamKeeper::add(const Op& op) {
  if (op.device_only || op.kind == Kind::compute) return;
  const std::uint64_t key = std::uint64_t{op.process} << 40 |
                            std::uint64_t{op.thread & 0xFFFFFF} << 16 | std::uint64_t{op.device};
  if (last_lane_ == nullptr || key != last_key_) {
    auto found = lanes_.find(key);
    if (found == lanes_.end()) {
      if (lanes_.size() >= kMaxLanes) return;
      found = lanes_.try_emplace(key).first;
    }
    last_key_ = key;
    last_lane_ = &found->second;
  }
  Lane& lane = *last_lane_;
  const StreamOp entry{op.begin_ns, symbol_of(op)};
  if (lane.ring.size() < kKept) {
    lane.ring.push_back(entry);
  } else {
    lane.ring[lane.seen % kKept] = entry;
  }
  ++lane.seen;
}

Periodicity StreamKeeper::period() const {
  const std::pair<const std::uint64_t, Lane>* busiest = nullptr;
  for (const auto& each : lanes_) {
    if (busiest == nullptr || each.second.seen > busiest->second.seen) busiest = &each;
  }
  if (busiest == nullptr) return find_period({});
  std::vector<StreamOp> stream = busiest->second.ring;
  std::sort(stream.begin(), stream.end(),
            [](const StreamOp& a, const StreamOp& b) { return a.begin_ns < b.begin_ns; });
  Periodicity period = find_period(stream);
  period.process = static_cast<std::uint32_t>(busiest->first >> 40);
  return period;
}

std::size_t StreamKeeper::memory_bytes() const {
  std::size_t bytes = sizeof *this + symbols_.size() * 80;
  for (const auto& [key, lane] : lanes_) bytes += lane.ring.capacity() * sizeof(StreamOp) + 96;
  return bytes;
}

}  // namespace peerscope
