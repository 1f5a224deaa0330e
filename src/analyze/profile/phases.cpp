#include "analyze/profile/phases.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace peerscope {
namespace {

constexpr std::size_t kFeatures = 2;        // log2 of the mean size, log2 of operations a slice
constexpr double kLeastNoise = 0.25;        // octaves: less than this is no change of the mix
constexpr double kSameKind = 0.7;           // octaves between stretches of one kind
constexpr double kOperationsPerSlice = 32;  // fewer, and the mean size is a matter of luck
constexpr std::size_t kMostStretches = 64;
constexpr double kPrefillOverDecode = 3;  // octaves of the mean size

using Feature = std::array<double, kFeatures>;

// Slices without gaps, at most TimeSlices::kMost, with enough operations each.
std::vector<TimeSlice> filled(std::vector<TimeSlice> slices, std::int64_t& width_ns) {
  std::uint64_t operations = 0;
  for (const TimeSlice& slice : slices) operations += slice.operations;
  const auto span = [&] {
    return (slices.back().begin_ns - slices.front().begin_ns) / width_ns + 1;
  };
  const auto most = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(static_cast<double>(operations) / kOperationsPerSlice), 1,
      TimeSlices::kMost);
  std::int64_t wider = 1;
  while ((span() + wider - 1) / wider > most) wider *= 2;
  const std::int64_t origin_ns = slices.front().begin_ns;
  std::vector<TimeSlice> out(static_cast<std::size_t>((span() + wider - 1) / wider));
  for (const TimeSlice& slice : slices) {
    TimeSlice& to =
        out[static_cast<std::size_t>((slice.begin_ns - origin_ns) / (width_ns * wider))];
    to.operations += slice.operations;
    to.bytes += slice.bytes;
    to.errors += slice.errors;
  }
  width_ns *= wider;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i].begin_ns = origin_ns + static_cast<std::int64_t>(i) * width_ns;
  return out;
}

Feature feature_of(std::uint64_t operations, std::uint64_t bytes, double slices) {
  if (operations == 0) return {0, 0};
  const auto n = static_cast<double>(operations);
  return {1 + std::log2(1 + static_cast<double>(bytes) / n), 1 + std::log2(1 + n / slices)};
}

// How much neighbours differ where nothing changes: from the median of the differences.
Feature noise_of(const std::vector<Feature>& features) {
  Feature noise{};
  for (std::size_t f = 0; f < kFeatures; ++f) {
    std::vector<double> steps;
    for (std::size_t i = 1; i < features.size(); ++i)
      steps.push_back(std::fabs(features[i][f] - features[i - 1][f]));
    if (steps.empty()) return {kLeastNoise, kLeastNoise};
    std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2),
                     steps.end());
    noise[f] = std::max(1.4826 * steps[steps.size() / 2] / std::sqrt(2.0), kLeastNoise);
  }
  return noise;
}

class Partition {
 public:
  explicit Partition(const std::vector<Feature>& features) : n_(features.size()) {
    const Feature noise = noise_of(features);
    for (std::size_t f = 0; f < kFeatures; ++f) {
      sum_[f].assign(n_ + 1, 0);
      square_[f].assign(n_ + 1, 0);
      for (std::size_t i = 0; i < n_; ++i) {
        const double x = features[i][f] / noise[f];
        sum_[f][i + 1] = sum_[f][i] + x;
        square_[f][i + 1] = square_[f][i] + x * x;
      }
    }
  }

  // Where stretches begin.
  [[nodiscard]] std::vector<std::size_t> cut(double price) const {
    std::vector<double> best(n_ + 1, std::numeric_limits<double>::infinity());
    std::vector<std::size_t> from(n_ + 1, 0);
    best[0] = 0;
    for (std::size_t end = 1; end <= n_; ++end) {
      for (std::size_t begin = 0; begin < end; ++begin) {
        const double cost = best[begin] + price + spread(begin, end);
        if (cost < best[end]) {
          best[end] = cost;
          from[end] = begin;
        }
      }
    }
    std::vector<std::size_t> begins;
    for (std::size_t end = n_; end > 0; end = from[end]) begins.push_back(from[end]);
    std::reverse(begins.begin(), begins.end());
    return begins;
  }

 private:
  [[nodiscard]] double spread(std::size_t begin, std::size_t end) const {
    const auto n = static_cast<double>(end - begin);
    double out = 0;
    for (std::size_t f = 0; f < kFeatures; ++f) {
      const double sum = sum_[f][end] - sum_[f][begin];
      out += square_[f][end] - square_[f][begin] - sum * sum / n;
    }
    return out;
  }

  std::size_t n_;
  std::array<std::vector<double>, kFeatures> sum_, square_;
};

struct Stretch {
  std::size_t begin = 0, end = 0;  // slices
  TimeSlice sum;
  [[nodiscard]] Feature feature() const {
    return feature_of(sum.operations, sum.bytes, static_cast<double>(end - begin));
  }
};

void join(Stretch& to, const Stretch& more) {
  to.begin = std::min(to.begin, more.begin);
  to.end = std::max(to.end, more.end);
  to.sum.operations += more.sum.operations;
  to.sum.bytes += more.sum.bytes;
}

// One slice in which the stretch before it ends and the next begins: of everything not more than the one and not less than
// the other has.
bool mixture(const Stretch& before, const Stretch& slice, const Stretch& after) {
  if (slice.end - slice.begin != 1) return false;
  const auto between = [&](std::uint64_t TimeSlice::* what) {
    const auto mean = [what](const Stretch& stretch) {
      const auto n = static_cast<double>(std::max<std::size_t>(stretch.end - stretch.begin, 1));
      return static_cast<double>(stretch.sum.*what) / n;
    };
    const double one = mean(before), other = mean(after);
    return mean(slice) >= std::min(one, other) * 0.9 && mean(slice) <= std::max(one, other) * 1.1;
  };
  return between(&TimeSlice::operations) && between(&TimeSlice::bytes);
}

// A short stall: the same sizes as before, at another rate, or nothing at all.
bool stall(const Stretch& before, const Stretch& slice) {
  constexpr std::size_t kShort = 3;  // slices
  if (slice.end - slice.begin >= kShort || before.sum.operations == 0) return false;
  return slice.sum.operations == 0 ||
         std::fabs(before.feature()[0] - slice.feature()[0]) <= kSameKind;
}

bool alike(const Feature& a, const Feature& b) {
  for (std::size_t f = 0; f < kFeatures; ++f) {
    if (std::fabs(a[f] - b[f]) > kSameKind) return false;
  }
  return true;
}

// The first and the last slice are cut off somewhere: their rate says nothing.
void even_out_edges(const std::vector<TimeSlice>& slices, std::vector<Feature>& features) {
  if (slices.size() < 3) return;
  const std::size_t last = slices.size() - 1;
  for (const auto& [edge, inner] : {std::pair{std::size_t{0}, std::size_t{1}}, {last, last - 1}}) {
    if (slices[edge].operations > 0 && slices[inner].operations > slices[edge].operations)
      features[edge][1] = features[inner][1];
  }
}

std::vector<Stretch> stretches_of(const std::vector<TimeSlice>& slices) {
  std::vector<Feature> features;
  for (const TimeSlice& slice : slices)
    features.push_back(feature_of(slice.operations, slice.bytes, 1));
  even_out_edges(slices, features);
  const Partition partition(features);
  double price = 3.0 * kFeatures * std::log(static_cast<double>(slices.size()) + 1);
  std::vector<std::size_t> begins = partition.cut(price);
  while (begins.size() > kMostStretches) begins = partition.cut(price *= 2);
  std::vector<Stretch> cut;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    Stretch next{begins[i], i + 1 < begins.size() ? begins[i + 1] : slices.size(), {}};
    for (std::size_t s = next.begin; s < next.end; ++s) {
      next.sum.operations += slices[s].operations;
      next.sum.bytes += slices[s].bytes;
    }
    cut.push_back(next);
  }
  std::vector<Stretch> out;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    const Stretch nothing{};
    const bool is_mixture = cut.size() > 1 && mixture(i > 0 ? cut[i - 1] : nothing, cut[i],
                                                      i + 1 < cut.size() ? cut[i + 1] : nothing);
    if (is_mixture && i + 1 < cut.size()) {
      join(cut[i + 1], cut[i]);
    } else if (!out.empty() && (is_mixture || stall(out.back(), cut[i]) ||
                                alike(out.back().feature(), cut[i].feature()))) {
      join(out.back(), cut[i]);
    } else {
      out.push_back(cut[i]);
    }
  }
  return out;
}

// Large messages that others follow, and many small ones: as inference does. Anything else is numbered.
void label(std::vector<PhaseKind>& kinds) {
  const auto size = [](const PhaseKind& kind) {
    return std::log2(1 + static_cast<double>(kind.bytes) /
                             static_cast<double>(std::max<std::uint64_t>(kind.operations, 1)));
  };
  std::vector<PhaseKind*> busy;
  for (PhaseKind& kind : kinds) {
    if (kind.operations > 0) busy.push_back(&kind);
  }
  std::sort(busy.begin(), busy.end(),
            [&](const PhaseKind* a, const PhaseKind* b) { return size(*a) < size(*b); });
  const bool two = busy.size() == 2 && size(*busy[1]) - size(*busy[0]) >= kPrefillOverDecode;
  if (two) {
    busy[0]->label = "decode-like";
    busy[1]->label = "prefill-like";
  }
  std::size_t number = 0;
  for (PhaseKind& kind : kinds) {
    if (kind.operations == 0) kind.label = "idle";
    if (kind.label.empty()) kind.label = "phase " + std::to_string(++number);
  }
}

}  // namespace

void TimeSlices::widen() {
  width_ns_ *= 2;
  std::unordered_map<std::int64_t, TimeSlice> wider;
  for (const auto& [number, slice] : by_number_) {
    TimeSlice& to = wider[number >> 1];
    to.operations += slice.operations;
    to.bytes += slice.bytes;
    to.errors += slice.errors;
  }
  by_number_ = std::move(wider);
  last_ = nullptr;
}

void TimeSlices::add(const Op& op) {
  if (op.device_only || op.kind == Kind::compute || op.begin_ns < 0) return;
  std::int64_t number = op.begin_ns / width_ns_;
  if (last_ == nullptr || number != last_number_) {
    last_ = &by_number_[number];
    while (by_number_.size() > kMost) {
      widen();
      number = op.begin_ns / width_ns_;
      last_ = &by_number_[number];
    }
    last_number_ = number;
  }
  last_->operations += op.weight;
  last_->bytes += op.weight * op.bytes;
  last_->errors += op.status != OpStatus::ok ? op.weight : 0;
}

std::vector<TimeSlice> TimeSlices::slices() const {
  std::vector<TimeSlice> out;
  for (auto [number, slice] : by_number_) {
    slice.begin_ns = number * width_ns_;
    out.push_back(slice);
  }
  std::sort(out.begin(), out.end(),
            [](const TimeSlice& a, const TimeSlice& b) { return a.begin_ns < b.begin_ns; });
  return out;
}

PhaseReport find_phases(std::vector<TimeSlice> slices, std::int64_t width_ns) {
  PhaseReport report;
  report.slice_ns = width_ns;
  if (slices.empty()) return report;
  report.slices = filled(std::move(slices), report.slice_ns);
  std::vector<Feature> features;  // of kinds
  for (const Stretch& stretch : stretches_of(report.slices)) {
    const Feature feature = stretch.feature();
    std::size_t kind = 0;
    while (kind < features.size() && !alike(features[kind], feature)) ++kind;
    if (kind == features.size()) {
      features.push_back(feature);
      report.kinds.emplace_back();
    }
    const std::int64_t begin_ns = report.slices[stretch.begin].begin_ns;
    const std::int64_t end_ns = report.slices[stretch.end - 1].begin_ns + report.slice_ns;
    PhaseKind& known = report.kinds[kind];
    ++known.stretches;
    known.operations += stretch.sum.operations;
    known.bytes += stretch.sum.bytes;
    known.span_ns += end_ns - begin_ns;
    report.stretches.push_back({begin_ns, end_ns, kind});
  }
  label(report.kinds);
  return report;
}

}  // namespace peerscope
