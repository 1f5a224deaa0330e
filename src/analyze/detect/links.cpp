// Links in trouble: judged together, told each by its own word.
#include "analyze/detect/detectors.hpp"
#include "analyze/detect/link_verdicts.hpp"

namespace peerscope {
namespace {

constexpr struct {
  LinkWord word;
  Finding (*describe)(const Snapshot& snapshot, const LinkVerdict& verdict);
} kWords[] = {
    {LinkWord::flapping, describe_flapping_link},
    {LinkWord::contention, describe_contention},
    {LinkWord::slow, describe_slow_link},
};

}  // namespace

void detect_links(const Snapshot& snapshot, const DetectOptions& options,
                  std::vector<Finding>& out) {
  for (const LinkVerdict& verdict : judge_links(snapshot, options)) {
    for (const auto& [word, describe] : kWords) {
      if (word == verdict.word) out.push_back(describe(snapshot, verdict));
    }
  }
}

}  // namespace peerscope
