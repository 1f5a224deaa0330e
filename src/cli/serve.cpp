// peerscope serve: a session or a file in the browser.
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/dashboard.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"

namespace peerscope {
namespace {

int refuse_serve(const std::string& why) {
  fmt::print(stderr, "peerscope serve: {}\n", why);
  return 2;
}

// Which session or file, and how it is called.
Status choose(const std::string& wanted, DashboardOptions& options) {
  if (names_a_file(wanted)) {
    options.file = wanted;
    options.id = wanted.substr(wanted.rfind('/') + 1);
    return Done{};
  }
  Result<std::vector<std::string>> sessions = select_sessions(wanted);
  if (!sessions) return sessions.error();
  options.id = sessions->front();
  options.sessions = std::move(*sessions);
  return Done{};
}

int serve_main(Args& args) {
  std::string wanted;
  bool as_json = false, quiet = false;
  args.positional("session", wanted,
                  "a .pscope file, or a session: its id or the beginning of one, or 'all' "
                  "(default: the newest)");
  args.setting("--host", "dashboard.host");
  args.setting("-p,--port", "dashboard.port");
  args.setting("--token-file", "dashboard.token_file");
  args.setting("--tls-cert", "dashboard.tls_cert");
  args.setting("--tls-key", "dashboard.tls_key");
  args.flag("--json", as_json, "print one JSON object once it serves: url, port, session");
  args.flag("-q,--quiet", quiet, "print the address only");
  if (const auto status = args.parse()) return *status;
  DashboardOptions options = dashboard_options(args.config());
  options.command = args.command();
  if (const Status chosen = choose(wanted, options); !chosen)
    return refuse_serve(chosen.error().message);
  stop_on_interrupt();
  const auto dashboard = Dashboard::start(options, args.config());
  if (!dashboard) return refuse_serve(dashboard.error().message);
  print_address("serve", **dashboard, options.id, as_json, quiet);
  while (!stop_requested()) {
    const timespec nap{0, 50'000'000};
    nanosleep(&nap, nullptr);
  }
  return 0;
}

}  // namespace

void print_address(const char* command, const Dashboard& dashboard, const std::string& id,
                   bool as_json, bool quiet) {
  for (const std::string& warning : dashboard.warnings())
    fmt::print(stderr, "peerscope {}: {}\n", command, warning);
  const std::string url = dashboard.url();
  if (as_json) {
    fmt::print("{}\n",
               nlohmann::json{{"url", url}, {"port", dashboard.port()}, {"session", id}}.dump());
  } else if (quiet) {
    fmt::print("{}\n", url);
  } else {
    const Style style = terminal_style();
    fmt::print("  {} is at {}   {}\n", id, paint(style, "1", url),
               paint(style, "2", "Ctrl-C ends it"));
    fmt::print("  {}\n",
               paint(style, "2",
                     fmt::format("REST: {0}/api/v1/openapi.json   Prometheus: {0}/metrics", url)));
  }
  std::fflush(stdout);
}

const Command kServeCommand{
    {"serve", "a session or a recording in the browser, as REST, and for Prometheus",
     "  peerscope serve                          the newest session, at http://127.0.0.1:8080\n"
     "  peerscope serve run.pscope --port 0      a recording, on any free port\n"
     "  peerscope serve --host 0.0.0.0 --token-file token --tls-cert c.pem --tls-key k.pem\n",
     ""},
    serve_main};

}  // namespace peerscope
