// What goes into a bundle for a bug report. All text has its secrets removed (analyze/debug/redact.hpp).
#pragma once

#include <string>
#include <vector>

#include "cli/archive.hpp"
#include "cli/debug_source.hpp"

namespace peerscope {

struct BundlePart {
  ArchiveFile file;
  std::string about;  // one line for people
};

// Report, findings, what is in flight or hangs, events, errors.
std::vector<BundlePart> analysis_parts(const DebugSource& source);
// Configuration, versions, devices, doctor's checks, processes, environment.
std::vector<BundlePart> machine_parts(const DebugSource& source, const Config& config);
// The last operations of a trace, about `most_bytes` of it, secrets removed from what it says of the
// session.
// `copy`: a file to write it to first.
Result<BundlePart> trace_part(const std::string& path, const std::string& copy,
                              std::uint64_t most_bytes);

}  // namespace peerscope
