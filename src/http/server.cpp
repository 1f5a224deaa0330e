#include "http/server.hpp"

#include <atomic>
#include <thread>

#include <sys/resource.h>

#include "http/edge_socket.hpp"
#include "http/error_response.hpp"
#include "http/streams.hpp"

namespace peerscope::http {
namespace {

constexpr std::size_t kSpareFiles = 64;  // that the rest of the process may open

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t connection_limit(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const std::size_t files = limit.rlim_cur;
  return std::min(wanted, files > 2 * kSpareFiles ? files - kSpareFiles : files / 2);
}

std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
  const bool v6 = endpoint.address().is_v6();
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.address().to_string(), v6 ? "]" : "",
                     endpoint.port());
}

}  // namespace

// Outlives all that runs on `io` and `workers`: stop() ends those first.
struct Server::Core {
  Core(const ServerOptions& given, Handler handler, EventHub* events)
      : options(given),
        hub(events),
        service(given, std::move(handler), events != nullptr),
        doorbell(std::make_shared<Doorbell>(*io)) {}

  const ServerOptions options;
  EventHub* const hub;
  Service service;
  std::unique_ptr<asio::io_context> io = std::make_unique<asio::io_context>();
  std::shared_ptr<Doorbell> doorbell;
  std::unique_ptr<asio::thread_pool> workers =
      std::make_unique<asio::thread_pool>(2);  // for body streams
  std::unique_ptr<asio::ip::tcp::acceptor> acceptor;
  std::unique_ptr<asio::steady_timer> pause, heartbeat;
  std::function<void(TcpSocket, const asio::ip::tcp::endpoint&, Slot)> admit;
  std::vector<std::thread> threads;
  std::size_t max_connections = 0;
  std::uint16_t port = 0;
  std::atomic<bool> stopped{false};
  std::atomic<std::uint64_t> connections{0}, connections_refused{0};
  Streams streams;

  void serve(const std::shared_ptr<restinio::request_t>& request);
  void start_events(Wire wire, Answer answer);
  void start_body(Wire wire, Answer answer);
  void accept_next();
  void accepted(TcpSocket socket);
  void beat();
  Status listen();
  void run();
  void stop();
};

namespace {

template <class Socket>
struct Traits : restinio::traits_t<
                    restinio::asio_timer_manager_t, ParseErrors,
                    std::function<restinio::request_handling_status_t(restinio::request_handle_t)>,
                    restinio::default_strand_t, Socket> {};

// RESTinio does not look which version of HTTP a request is in.
template <class Methods>
http_parser_settings parser_settings() {
  http_parser_settings settings = restinio::impl::create_parser_settings<Methods>();
  settings.on_headers_complete = [](http_parser* parser) {
    auto& header = static_cast<restinio::impl::http_parser_ctx_t*>(parser->data)->m_header;
    header.http_major(parser->http_major);
    header.http_minor(parser->http_minor);
    return restinio::impl::restinio_headers_complete_cb(parser);
  };
  return settings;
}

// RESTinio's own acceptor gives up for good when a process has no file left, and has nothing to say to who comes when
// it is full; so we accept, and hand it the connections.
template <class Socket>
auto connection_factory(
    asio::io_context& io, const ServerOptions& options,
    std::function<restinio::request_handling_status_t(restinio::request_handle_t)> handler) {
  using TheTraits = Traits<Socket>;
  using std::chrono::milliseconds;
  restinio::server_settings_t<TheTraits> settings;
  settings.request_handler(std::move(handler))
      .timer_manager(std::clamp(options.request_time / 4, milliseconds(50), milliseconds(1000)))
      .read_next_http_message_timelimit(options.request_time)
      .write_http_response_timelimit(options.write_time)
      .handle_request_timeout(
          std::max<milliseconds>(4 * options.heartbeat, std::chrono::minutes(5)))
      .max_pipelined_requests(1)
      .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                    .max_url_size(options.max_target_bytes)
                                    .max_field_name_size(256)
                                    .max_field_value_size(options.max_field_bytes)
                                    .max_field_count(options.max_fields)
                                    .max_body_size(options.max_body_bytes));
  auto timers = settings.timer_factory()->create(io);
  auto socket_options = settings.socket_options_setter();
  auto shared = std::make_shared<restinio::impl::connection_settings_t<TheTraits>>(
      settings, parser_settings<typename TheTraits::http_methods_mapper_t>(), timers);
  return std::make_shared<restinio::impl::connection_factory_t<TheTraits>>(
      shared, std::move(socket_options));
}

Result<std::shared_ptr<asio::ssl::context>> tls_context(const ServerOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  asio::error_code error;
  context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                           asio::ssl::context::no_tlsv1_1,
                       error);
  const auto failed = [&](const std::string& file, const char* what) {
    return Error{ErrorCode::io,
                 fmt::format("{} is no {} that can be used: {}; it has to be a PEM file", file,
                             what, error.message())};
  };
  if (context->use_certificate_chain_file(options.tls_cert, error))
    return failed(options.tls_cert, "certificate");
  if (context->use_private_key_file(options.tls_key, asio::ssl::context::pem, error))
    return failed(options.tls_key, "key for this certificate");
  return context;
}

Asked asked_of(restinio::request_t& request) {
  const auto& header = request.header();
  Asked asked;
  asked.method = header.method().c_str();
  asked.target = header.request_target();
  header.for_each_field(
      [&](const auto& field) { asked.headers.emplace_back(field.name(), field.value()); });
  asked.body = request.body();
  asked.remote = text_of(request.remote_endpoint());
  asked.major = header.http_major();
  asked.minor = header.http_minor();
  return asked;
}

}  // namespace

void Server::Core::serve(const std::shared_ptr<restinio::request_t>& request) {
  Wire wire;
  Asked asked = asked_of(*request);
  wire.id = request->request_id();
  wire.connection = std::move(restinio::impl::access_req_connection(*request));
  const auto& header = request->header();
  // To who wants another protocol we answer in this one, and that is all.
  wire.keep_alive = header.should_keep_alive() &&
                    header.connection() != restinio::http_connection_header_t::upgrade;
  wire.chunked = asked.minor >= 1;
  Answer answer = service.answer(std::move(asked));
  if (!wire.chunked && (answer.is_events || answer.stream)) wire.keep_alive = false;
  if (answer.is_events)
    start_events(std::move(wire), std::move(answer));
  else if (answer.stream && !answer.is_head)
    start_body(std::move(wire), std::move(answer));
  else
    send_whole(std::move(wire), std::move(answer));
}

void Server::Core::start_events(Wire wire, Answer answer) {
  const auto stream = std::make_shared<EventStream>(*hub, std::move(wire), streams);
  if (!stream->subscribe(answer.events, doorbell)) {
    Response full =
        error_response(503, "too_many_clients", "too many clients follow the events already");
    answer.status = full.status;
    answer.body = std::move(full.body);
    return send_whole(std::move(stream->wire()), std::move(answer));
  }
  stream->start(answer);
}

void Server::Core::start_body(Wire wire, Answer answer) {
  std::make_shared<BodyPump>(*workers, std::move(wire), std::move(answer.stream), streams)
      ->start(answer);
}

void Server::Core::accept_next() {
  acceptor->async_accept([this](const asio::error_code& error, TcpSocket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      accepted(std::move(socket));
      return accept_next();
    }
    pause->expires_after(std::chrono::milliseconds(100));  // no file is left: somebody will go
    pause->async_wait([this](const asio::error_code& stop_error) {
      if (!stop_error) accept_next();
    });
  });
}

void Server::Core::accepted(TcpSocket socket) {
  asio::error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // gone already
  if (connections.load() >= max_connections) {
    connections_refused.fetch_add(1);
    socket.non_blocking(true, error);
    if (options.tls_cert.empty()) socket.write_some(asio::buffer(refusal_text(503)), error);
    socket.shutdown(TcpSocket::shutdown_both, error);
    return;
  }
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  connections.fetch_add(1);
  Slot slot(this, [](void* core) { static_cast<Core*>(core)->connections.fetch_sub(1); });
  try {
    admit(std::move(socket), remote, std::move(slot));
  } catch (const std::exception&) {  // no memory for it: the socket is closed, the server lives
  }
}

void Server::Core::beat() {
  heartbeat->expires_after(options.heartbeat);
  heartbeat->async_wait([this](const asio::error_code& error) {
    if (error) return;
    hub->heartbeat();
    beat();
  });
}

Status Server::Core::listen() {
  asio::error_code error;
  const auto address =
      asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
  const asio::ip::tcp::endpoint endpoint(address, options.port);
  acceptor = std::make_unique<asio::ip::tcp::acceptor>(*io);
  pause = std::make_unique<asio::steady_timer>(*io);
  heartbeat = std::make_unique<asio::steady_timer>(*io);
  if (!error) acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (!error) port = acceptor->local_endpoint(error).port();
  if (error)
    return Error{
        ErrorCode::io,
        fmt::format(
            "cannot listen on {}: {}; choose another --port (0: any that is free) or --host",
            text_of(endpoint), error.message())};
  return Done{};
}

void Server::Core::run() {
  asio::post(*io, [this] { accept_next(); });
  if (hub) asio::post(*io, [this] { beat(); });
  for (int at = 0; at < std::max(1, options.threads); ++at)
    threads.emplace_back([this] { io->run(); });
}

void Server::Core::stop() {
  if (stopped.exchange(true)) return;
  doorbell->close();
  io->stop();
  for (std::thread& thread : threads) thread.join();
  workers->stop();
  workers->join();
  workers.reset();
  streams.clear();
  acceptor.reset();
  pause.reset();
  heartbeat.reset();
  admit = nullptr;
  io.reset();  // and with it all connections
}

namespace {

template <class Socket, class MakeSocket>
auto admission(
    asio::io_context& io, const ServerOptions& options,
    std::function<restinio::request_handling_status_t(restinio::request_handle_t)> handler,
    MakeSocket make_socket) {
  const auto factory = connection_factory<Socket>(io, options, std::move(handler));
  using Monitor = restinio::connection_count_limit_types<Traits<Socket>>::lifetime_monitor_t;
  return
      [factory, make_socket](TcpSocket socket, const asio::ip::tcp::endpoint& remote, Slot slot) {
        factory
            ->create_new_connection(make_socket(std::move(socket), std::move(slot)), remote,
                                    Monitor{nullptr})
            ->init();
      };
}

}  // namespace

Server::Server(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, Handler handler,
                                              EventHub* hub) {
  if (Status good = check_address(options); !good) return good.error();
  raise_file_limit();
  auto core = std::make_unique<Core>(options, std::move(handler), hub);
  Core* const raw = core.get();
  core->max_connections = connection_limit(options.max_connections);
  const auto serve = [raw](const restinio::request_handle_t& request) {
    raw->serve(request);
    return restinio::request_accepted();
  };
  if (options.tls_cert.empty()) {
    core->admit = admission<PlainEdge>(*core->io, options, serve, [](TcpSocket socket, Slot slot) {
      return PlainEdge(std::move(socket), std::move(slot), {});
    });
  } else {
    auto context = tls_context(options);
    if (!context) return context.error();
    core->admit = admission<TlsEdge>(
        *core->io, options, serve, [raw, tls = *context](TcpSocket socket, Slot slot) {
          restinio::impl::tls_socket_t stream(*raw->io, tls);
          stream.asio_ssl_stream().next_layer() = std::move(socket);
          return TlsEdge(std::move(stream), std::move(slot), raw->options.request_time);
        });
  }
  if (Status listening = core->listen(); !listening) return listening.error();
  core->run();
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

Server::~Server() { stop(); }

void Server::stop() { core_->stop(); }

std::uint16_t Server::port() const { return core_->port; }

std::string Server::url() const {
  const std::string& host = core_->options.host;
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", core_->options.tls_cert.empty() ? "http" : "https",
                     v6 ? "[" : "", host, v6 ? "]" : "", core_->port);
}

ServerCounters Server::counters() const {
  ServerCounters counters;
  counters.requests = core_->service.requests();
  counters.refused = core_->service.refused();
  counters.connections = core_->connections.load();
  counters.connections_refused = core_->connections_refused.load();
  if (core_->hub) counters.events = core_->hub->counters();
  return counters;
}

}  // namespace peerscope::http
