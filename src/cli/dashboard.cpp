#include "cli/dashboard.hpp"

#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/state_dir.hpp"
#include "cli/temporary_folder.hpp"
#include "cli/trace_files.hpp"
#include "http/api/api.hpp"
#include "http/api/publish.hpp"
#include "http/assets.hpp"
#include "http/server.hpp"
#include "metrics/otlp.hpp"
#include "metrics/settings.hpp"
#include "session/alerts/service.hpp"
#include "session/exllama_feeder.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

using Steady = std::chrono::steady_clock;

Result<std::string> read_token(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  std::string token = text.str();
  const std::size_t end = token.find_last_not_of(" \t\r\n");
  token.erase(end == std::string::npos ? 0 : end + 1);
  if (!file || token.empty())
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: there is no token in it; write one, such as: head -c 24 "
                             "/dev/urandom | base64 > {}",
                             path, path)};
  return token;
}

// The history of a live session: a recording that is thrown away with the folder it lies in.
Result<std::shared_ptr<Recording>> start_history(const Config& config, const std::string& path,
                                                 const std::string& command) {
  RecordingOptions options;
  options.path = path;
  options.writer = writer_options(config);
  options.writer.max_bytes = config.bytes("dashboard.history_bytes");
  options.writer.max_age_ns = 0;
  options.writer.flush_interval_ns = 250'000'000;  // what is not written cannot be asked for
  options.summary_interval_ns = 3600'000'000'000;
  options.command = command;
  options.settings = settings_in_force(config);
  return Recording::start(std::move(options));
}

Result<ServedOptions> served_options(const DashboardOptions& wanted, const Config& config,
                                     const std::string& folder) {
  ServedOptions options;
  options.id = wanted.id;
  options.debug = debug_options(config);
  options.monitor = monitor_options(config);
  if (wanted.sessions.empty()) {
    options.file = true;
    options.path = wanted.file;
    return options;
  }
  options.monitor.collect.sessions = wanted.sessions;
  options.monitor.machine = machine_options(config);
  options.monitor.feeders = session_feeders(config, wanted.sessions);
  if (folder.empty() || config.bytes("dashboard.history_bytes") == 0) return options;
  options.path = folder + "/history.pscope";
  auto recording = start_history(config, options.path, wanted.command);
  if (!recording) return recording.error();
  options.monitor.recording = std::move(*recording);
  return options;
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

// What is destroyed last stands first: each part uses those above it.
struct Dashboard::Parts {
  TemporaryFolder folder;
  std::unique_ptr<LiveConfig> config;
  std::unique_ptr<AlertService> alerts;  // null: a file, or switched off
  http::EventHub hub{http::EventHubOptions{
      .default_topics = {"overview", "findings", "alerts", "events", "in_flight", "session"}}};
  SeriesChoice series;
  http::Api api;
  std::unique_ptr<http::Publisher> publisher;
  std::unique_ptr<Served> served;
  std::unique_ptr<OtlpPusher> otlp;
  std::unique_ptr<http::Server> server;
  std::atomic<const http::Server*> running{
      nullptr};  // for its own threads, which ask before `server` is set
  Steady::time_point began = Steady::now();
  std::vector<std::string> warnings;

  Status open_session(const DashboardOptions& options, const Config& now);
  Status open_alerts(const DashboardOptions& options, const Config& now);
  void fill_api(const Config& now);
  Status open_server(const DashboardOptions& options);
  void follow();
  [[nodiscard]] http::ServerState state() const;
  [[nodiscard]] ServerFigures figures() const;
};

DashboardOptions dashboard_options(const Config& config) {
  DashboardOptions options;
  options.host = config.text("dashboard.host");
  options.port = static_cast<int>(config.integer("dashboard.port"));
  options.any_port = config.is_built_in("dashboard.port");
  options.tls_cert = config.text("dashboard.tls_cert");
  options.tls_key = config.text("dashboard.tls_key");
  options.token_file = config.text("dashboard.token_file");
  return options;
}

Status Dashboard::Parts::open_session(const DashboardOptions& options, const Config& now) {
  config = std::make_unique<LiveConfig>(now, options.sessions);
  auto how = served_options(options, now, folder.path());
  if (!how) return how.error();
  how->monitor.collect.on_attach = [this] { return attach_control(*config->now()); };
  auto opened = Served::open(std::move(*how));
  if (!opened) return opened.error();
  served = std::move(*opened);
  return Done{};
}

Status Dashboard::Parts::open_alerts(const DashboardOptions& options, const Config& now) {
  if (options.sessions.empty() || !now.boolean("alert.enabled")) return Done{};
  const Result<std::string> directory = state_directory();
  auto settings = alert_settings(now, directory ? *directory : "");
  if (!settings) return settings.error();
  alerts = std::make_unique<AlertService>(std::move(*settings));
  config->on_change([this](const Config& changed) {
    Status taken = alerts->set_rules(changed);
    if (taken) publisher->alerts_changed();
    return taken;
  });
  alerts->on_change([this](const Alert&) { publisher->alerts_changed(); });
  return Done{};
}

http::ServerState Dashboard::Parts::state() const {
  http::ServerState out;
  out.uptime_s = std::chrono::duration<double>(Steady::now() - began).count();
  const http::Server* now = running.load(std::memory_order_acquire);
  if (now == nullptr) return out;
  const http::ServerCounters counters = now->counters();
  out.streams = counters.events.clients;
  out.requests = counters.requests;
  out.refused = counters.refused;
  return out;
}

ServerFigures Dashboard::Parts::figures() const {
  ServerFigures out;
  out.processor_seconds = processor_seconds();
  if (otlp) out.push = otlp->figures();
  const http::Server* now = running.load(std::memory_order_acquire);
  if (now == nullptr) return out;
  const http::ServerCounters counters = now->counters();
  out.connections = counters.connections;
  out.streams = counters.events.clients;
  out.refused = {{"request", counters.refused}, {"connection", counters.connections_refused}};
  return out;
}

void Dashboard::Parts::fill_api(const Config& now) {
  api.served = served.get();
  api.config = config.get();
  api.alerts = alerts.get();
  api.series = &series;
  api.version = PSCOPE_VERSION;
  api.host = this_host().name;
  api.server = [this] { return state(); };
  api.figures = [this] { return figures(); };
  if (const Result<std::string> directory = state_directory())
    api.benchmark_dirs = {*directory + "/results", *directory};
  if (const std::string& dir = now.text("dashboard.benchmarks"); !dir.empty())
    api.benchmark_dirs.insert(api.benchmark_dirs.begin(), dir);
  publisher = std::make_unique<http::Publisher>(api, hub);
}

Status Dashboard::Parts::open_server(const DashboardOptions& options) {
  http::ServerOptions how;
  how.host = options.host;
  how.port = static_cast<std::uint16_t>(options.port);
  how.tls_cert = options.tls_cert;
  how.tls_key = options.tls_key;
  how.threads = 4;  // a question that reads much keeps one of them
  how.assets = http::embedded_assets();
  Result<std::string> token = read_token(options.token_file);
  if (!token) return token.error();
  how.token = std::move(*token);
  api.token_needed = !how.token.empty();
  if (const Status good = http::check_address(how); !good) return good;
  if (const std::string warning = http::tls_warning(how); !warning.empty())
    warnings.push_back(warning);
  auto started = http::Server::start(how, http::make_handler(api), &hub);
  if (!started && options.any_port && how.port != 0) {
    warnings.push_back(fmt::format("port {} is taken: another one was chosen", how.port));
    how.port = 0;
    started = http::Server::start(how, http::make_handler(api), &hub);
  }
  if (!started) return started.error();
  server = std::move(*started);
  running.store(server.get(), std::memory_order_release);
  return Done{};
}

void Dashboard::Parts::follow() {
  served->start(
      [this](const Served& now) {
        if (alerts) alerts->look(*now.snapshot());
        publisher->look(now);
      },
      [this](const Served& now, const std::vector<ServedEvent>& events) {
        publisher->tell(now, events);
      });
}

Result<std::unique_ptr<Dashboard>> Dashboard::start(const DashboardOptions& options,
                                                    const Config& config) {
  // A dozen threads that seldom allocate at the same time: an arena each would keep what it once needed.
  mallopt(M_ARENA_MAX, 2);
  auto parts = std::make_unique<Parts>();
  if (const Status done = parts->open_session(options, config); !done) return done.error();
  if (const Status done = parts->open_alerts(options, config); !done) return done.error();
  parts->fill_api(config);
  const auto push = otlp_options(config, metrics_options(config, parts->api.host, ""));
  if (!push) return push.error();
  if (*push) {
    auto pusher =
        OtlpPusher::open(**push, [served = parts->served.get()] { return served->snapshot(); });
    if (!pusher) return pusher.error();
    parts->otlp = std::move(*pusher);
  }
  if (const Status done = parts->open_server(options); !done) return done.error();
  parts->follow();
  return std::unique_ptr<Dashboard>(new Dashboard(std::move(parts)));
}

Dashboard::Dashboard(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

// The session's thread calls the publisher and the alerts: it goes first.
Dashboard::~Dashboard() {
  parts_->served->stop();
  parts_->server->stop();
}

std::string Dashboard::url() const { return parts_->server->url(); }
int Dashboard::port() const { return parts_->server->port(); }
std::vector<std::string> Dashboard::warnings() const { return parts_->warnings; }
bool Dashboard::live() const { return parts_->served->live(); }

}  // namespace peerscope
