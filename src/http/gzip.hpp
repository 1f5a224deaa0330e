// gzip for answers: whole bodies and streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace peerscope::http {

[[nodiscard]] std::optional<std::string> gzipped(std::string_view body);  // nullopt: no memory
[[nodiscard]] std::optional<std::string> gunzipped(std::string_view bytes, std::size_t max_bytes);

class GzipStream {
 public:
  static std::unique_ptr<GzipStream> open();  // null: no memory
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  // What there is to send by now: often nothing until `last`.
  std::string put(std::string_view piece, bool last);

 private:
  struct State;
  explicit GzipStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope::http
