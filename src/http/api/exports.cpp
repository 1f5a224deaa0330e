// The history in other tools' formats, streamed.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "trace/export/export.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

// An exporter writes, a response reads: between them at most kMost bytes, on a thread of the export's own.
class Pipe final : public ByteSink {
 public:
  ~Pipe() override {
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void start(std::shared_ptr<const TraceReader> trace, const Exporter& exporter,
             const OpFilter& filter) {
    thread_ = std::thread([this, trace = std::move(trace), &exporter, filter] {
      ExportOptions options;
      options.filter = filter;
      options.cancelled = [this] {
        const std::lock_guard lock(mutex_);
        return abandoned_;
      };
      bool whole = false;
      try {
        whole = static_cast<bool>(exporter.run(*trace, options, *this));
      } catch (const std::exception&) {  // no memory: the download breaks off, the server goes on
      }
      const std::lock_guard lock(mutex_);
      over_ = true;
      failed_ = !whole;
      changed_.notify_all();
    });
  }

  void write(std::string_view bytes) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ < kMost || abandoned_; });
    if (abandoned_) return;
    waiting_ += bytes.size();
    pieces_.emplace_back(bytes);
    changed_.notify_all();
  }
  Status finish() override { return Done{}; }

  bool read(std::string& piece) {
    std::unique_lock lock(mutex_);
    // An empty piece is "not yet": so that a server that ends need not wait for a filter that nothing passes.
    piece.clear();
    constexpr std::chrono::milliseconds kNow{200};
    if (!changed_.wait_for(lock, kNow, [this] { return !pieces_.empty() || over_; })) return true;
    // What is not whole must not look whole: the server breaks the connection off.
    if (pieces_.empty() && failed_) throw std::runtime_error("the export failed");
    if (pieces_.empty()) return false;
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    waiting_ -= piece.size();
    changed_.notify_all();
    return true;
  }

 private:
  static constexpr std::size_t kMost = 1 << 20;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::size_t waiting_ = 0;
  bool over_ = false, failed_ = false, abandoned_ = false;
  std::thread thread_;
};

const char* type_of(std::string_view extension) {
  if (extension == "csv") return "text/csv; charset=utf-8";
  if (extension == "json" || extension == "jsonl") return "application/json";
  if (extension == "xml") return "application/xml";
  return "application/octet-stream";
}

// A file name that every system takes.
std::string safe_name(const std::string& id, const char* extension) {
  std::string name;
  for (const char c : id)
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ? c : '_';
  return fmt::format("{}.{}", name.substr(0, 100), extension);
}

}  // namespace

Response get_formats(const Api&, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  json items = json::array();
  for (const Exporter& exporter : exporters())
    items.push_back({{"name", exporter.name},
                     {"extension", exporter.extension},
                     {"summary", exporter.summary}});
  return answer({{"items", items}});
}

Response get_export(const Api& api, const Request& request, const Captures& path) {
  const Served& served = *api.served;
  Parameters parameters(request);
  const OpFilter filter = parameters.filter(served);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const Exporter* exporter = find_exporter(path[0]);
  if (exporter == nullptr)
    return refuse(404, fmt::format("there is no format {}; /api/v1/exports lists them", path[0]));
  if (served.store() == nullptr) return no_history();
  const auto pipe = std::make_shared<Pipe>();
  pipe->start(served.store()->trace(), *exporter, filter);
  Response response;
  response.type = type_of(exporter->extension);
  response.headers.emplace_back(
      "Content-Disposition",
      fmt::format("attachment; filename=\"{}\"", safe_name(served.id(), exporter->extension)));
  response.stream = [pipe](std::string& piece) { return pipe->read(piece); };
  return response;
}

}  // namespace peerscope::http
