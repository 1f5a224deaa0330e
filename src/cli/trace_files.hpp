// What the commands that read and write trace files share.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "session/recording.hpp"
#include "trace/export/export.hpp"
#include "trace/reader.hpp"

namespace peerscope {

// Whether a command's argument means a file, not a session.
bool names_a_file(const std::string& argument);
// ".json": the report; anything else is a trace.
bool wants_report(const std::string& out);

// Starts writing what is read to a trace file, as the configuration says.
Result<std::shared_ptr<Recording>> start_recording(const Config& config, const std::string& path,
                                                   const std::string& command);
TraceWriterOptions writer_options(const Config& config);
std::vector<TraceSetting> settings_in_force(const Config& config);

// "  wrote 12 345 operations to x.pscope (48 KB, 3.9 bytes an operation)"
std::string recorded_line(const TraceView& view);

// Opens a trace, or says in the command's name what is wrong, to standard error. Notes about a cut
// tail go there, too.
std::optional<TraceReader> open_trace(const char* command, const std::string& path);

// Standard output ("-") or a file, made when it is first written to.
std::unique_ptr<ByteSink> make_sink(const std::string& path);

}  // namespace peerscope
