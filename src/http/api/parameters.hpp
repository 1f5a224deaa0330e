// The query of a request, checked: what is unknown or out of range is refused in one sentence.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/aggregates.hpp"
#include "http/api/answer.hpp"
#include "store/store.hpp"

namespace peerscope::http {

std::optional<std::int64_t> whole_number(std::string_view text);

// Reads what it is asked for; the first thing that is wrong is kept. Ask refusal() before the values are used.
class Parameters {
 public:
  explicit Parameters(const Request& request) : request_(request) {}

  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
  std::int64_t integer(std::string_view name, std::int64_t least, std::int64_t most,
                       std::int64_t otherwise);
  std::string text(std::string_view name);
  // One of these; the first if it is not given.
  std::string choice(std::string_view name, std::initializer_list<const char*> allowed);
  std::vector<std::string> words(std::string_view name);  // with commas
  std::vector<double> numbers(std::string_view name, double least, double most);
  Window window(const Served& served);  // of a recording: all, where none is given
  bool device_clock();

  // from, to, operation, communicator, rank, peer, device, pid, min_bytes, max_bytes, status.
  OpFilter filter(const Served& served);
  std::vector<GroupBy> group_by();

  void fail(std::string sentence);
  // What is wrong: with a value, or a parameter that nobody asked for.
  [[nodiscard]] std::optional<Response> refusal();

 private:
  std::optional<std::string_view> take(std::string_view name);
  void read_communicator(const Served& served, OpFilter& filter);
  void read_kinds(OpFilter& filter);

  const Request& request_;
  std::vector<std::string> asked_;
  std::string problem_;
};

}  // namespace peerscope::http
