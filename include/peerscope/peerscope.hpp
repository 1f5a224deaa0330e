// peerscope.hpp: the C ABI of peerscope.h for C++20. Header only; needs that header and the
// standard library.
//
//   peerscope::Session session({.name = "trainer"});
//   peerscope::Comm tp = session.comm({.id = 42, .name = "tp", .rank = 0, .ranks = 8, .device =
//   0});
//   {
//     peerscope::ScopedOp op(tp, PSCOPE_KIND_ALL_REDUCE, bytes);
//     reduce();
//     op.phase(reduced);  // a name from session.name("reduce")
//   }                     // ends here: ok, or error if an exception is on its way
//
// Nothing here throws, but for Session's copies of strings before it opens. A Session that could
// not be opened records nothing and says why(); all calls on it are harmless. Comm, ScopedOp and
// metrics are valid as long as their Session.
#ifndef PEERSCOPE_PEERSCOPE_HPP
#define PEERSCOPE_PEERSCOPE_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "peerscope/peerscope.h"

namespace peerscope {
inline namespace v1 {  // our own programs have classes of the same names

// How to open a session; see pscope_options. Empty strings mean "the default".
struct SessionOptions {
  std::string name = {};
  std::string session = {};
  std::string runtime_dir = {};
  int level = -1;
  std::size_t segment_bytes = 0;
  std::uint32_t detail_budget_ppm = 0;  // 0: 1 % of each thread's time; PSCOPE_UNLIMITED: all
};

struct CommOptions {
  std::uint64_t id = 0;  // the same on all ranks
  const char* name = nullptr;
  std::uint32_t rank = 0, ranks = 0;
  std::uint16_t device = PSCOPE_NO_DEVICE;
  pscope_backend backend = PSCOPE_BACKEND_UNKNOWN;
};

class Session;

// A rank's handle of a communicator. A value: copy it as you like.
class Comm {
 public:
  Comm() = default;
  [[nodiscard]] pscope_session* session() const { return session_; }
  [[nodiscard]] std::uint16_t id() const { return id_; }  // within the session; 0: none

 private:
  friend class Session;
  Comm(pscope_session* session, std::uint16_t id) : session_(session), id_(id) {}
  pscope_session* session_ = nullptr;
  std::uint16_t id_ = 0;
};

// The user's own metrics. Values: copy them as you like. Equal names give the same metric.
class Counter {
 public:
  Counter() = default;
  void add(std::uint64_t amount = 1) const { pscope_counter_add(session_, metric_, amount); }
  explicit operator bool() const { return metric_ != 0; }

 private:
  friend class Session;
  Counter(pscope_session* session, pscope_metric metric) : session_(session), metric_(metric) {}
  pscope_session* session_ = nullptr;
  pscope_metric metric_ = 0;
};

class Gauge {
 public:
  Gauge() = default;
  void set(double value) const { pscope_gauge_set(session_, metric_, value); }
  explicit operator bool() const { return metric_ != 0; }

 private:
  friend class Session;
  Gauge(pscope_session* session, pscope_metric metric) : session_(session), metric_(metric) {}
  pscope_session* session_ = nullptr;
  pscope_metric metric_ = 0;
};

class Histogram {
 public:
  Histogram() = default;
  void observe(std::uint64_t value) const { pscope_histogram_observe(session_, metric_, value); }
  explicit operator bool() const { return metric_ != 0; }

 private:
  friend class Session;
  Histogram(pscope_session* session, pscope_metric metric) : session_(session), metric_(metric) {}
  pscope_session* session_ = nullptr;
  pscope_metric metric_ = 0;
};

// Owns a recorder: opens it, and marks its segment as ended when destroyed.
class Session {
 public:
  explicit Session(const SessionOptions& options = {}) {
    const auto given = [](const std::string& text) {
      return text.empty() ? nullptr : text.c_str();
    };
    pscope_options c_options = PSCOPE_OPTIONS_INIT;
    c_options.name = given(options.name);
    c_options.session = given(options.session);
    c_options.runtime_dir = given(options.runtime_dir);
    c_options.level = options.level;
    c_options.segment_bytes = options.segment_bytes;
    c_options.detail_budget_ppm = options.detail_budget_ppm;
    handle_ = pscope_open(&c_options, &why_);
  }
  ~Session() { close(); }
  Session(Session&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), why_(std::exchange(other.why_, nullptr)) {}
  Session& operator=(Session&& other) noexcept {
    if (this != &other) {
      close();
      handle_ = std::exchange(other.handle_, nullptr);
      why_ = std::exchange(other.why_, nullptr);
    }
    return *this;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // True if it records. If not, why() is a sentence.
  explicit operator bool() const { return handle_ != nullptr && why_ == nullptr; }
  [[nodiscard]] const char* why() const { return why_ != nullptr ? why_ : ""; }
  [[nodiscard]] pscope_session* handle() const { return handle_; }  // for the C functions
  [[nodiscard]] const char* segment_path() const { return pscope_segment_path(handle_); }

  void close() {
    pscope_close(std::exchange(handle_, nullptr));
    why_ = nullptr;
  }

  void set_level(pscope_level level) { pscope_set_level(handle_, level); }
  [[nodiscard]] pscope_level level() const {
    return static_cast<pscope_level>(pscope_get_level(handle_));
  }

  // Only what passes is recorded; everything is still counted. False if there is no segment.
  bool set_filter(const pscope_filter& filter) {
    return handle_ != nullptr && pscope_set_filter(handle_, &filter) == 0;
  }
  bool clear_filter() { return handle_ != nullptr && pscope_set_filter(handle_, nullptr) == 0; }

  [[nodiscard]] pscope_stats stats() const {
    pscope_stats stats{};
    pscope_get_stats(handle_, &stats);
    return stats;
  }

  // Not for the hot path: each takes a lock. Equal arguments give equal results; 0 or an empty one
  // if the table is full.
  [[nodiscard]] Comm comm(const CommOptions& options) {
    const pscope_comm_desc desc{options.id,
                                options.name,
                                options.rank,
                                options.ranks,
                                options.device,
                                static_cast<std::uint16_t>(options.backend),
                                0};
    return {handle_, pscope_comm_register(handle_, &desc)};
  }
  [[nodiscard]] std::uint16_t stream(std::uint64_t handle, std::uint16_t device,
                                     const char* name = nullptr) {
    return pscope_stream_register(handle_, handle, device, name);
  }
  [[nodiscard]] std::uint16_t name(const char* text) { return pscope_name(handle_, text); }
  // For ScopedProfile; 0 if the table is full.
  [[nodiscard]] std::uint16_t profile_name(const char* text) {
    return pscope_profile_name(handle_, text);
  }
  [[nodiscard]] Counter counter(const char* name, const char* unit = "1") {
    return {handle_, pscope_counter(handle_, name, unit)};
  }
  [[nodiscard]] Gauge gauge(const char* name, const char* unit = "1") {
    return {handle_, pscope_gauge(handle_, name, unit)};
  }
  [[nodiscard]] Histogram histogram(const char* name, const char* unit = "1") {
    return {handle_, pscope_histogram(handle_, name, unit)};
  }

  void event(pscope_severity severity, std::uint16_t name, std::int64_t value, Comm comm = {}) {
    pscope_event(handle_, severity, name, comm.id(), value);
  }

 private:
  pscope_session* handle_ = nullptr;
  const char* why_ = nullptr;
};

// One operation: begins in the constructor, ends in the destructor, on any thread. Its status is
// ok, what fail() said, or error if an exception that was thrown after the begin destroys it.
class ScopedOp {
 public:
  ScopedOp(Comm comm, pscope_kind kind, std::uint64_t bytes = 0,
           std::uint16_t peer = PSCOPE_NO_PEER)
      : ScopedOp(comm.session(), plain(comm, kind, bytes, peer)) {}

  // With every detail that the C ABI knows. `op.comm` is a Comm's id.
  ScopedOp(pscope_session* session, const pscope_op& op)
      : session_(session),
        token_(pscope_op_begin(session, &op)),
        exceptions_(std::uncaught_exceptions()) {}

  ~ScopedOp() {
    const bool unwinding = std::uncaught_exceptions() > exceptions_;
    if (unwinding && status_ == PSCOPE_STATUS_OK) status_ = PSCOPE_STATUS_ERROR;
    pscope_op_end(session_, token_, status_);
  }
  ScopedOp(const ScopedOp&) = delete;
  ScopedOp& operator=(const ScopedOp&) = delete;

  // Marks the end of a phase, on the thread that began (level comprehensive). `name` from
  // Session::name.
  void phase(std::uint16_t name) { pscope_op_phase(session_, token_, name); }
  void fail(pscope_status status) { status_ = status; }

  // For pscope_op_complete, if the operation is asynchronous.
  [[nodiscard]] pscope_token token() const { return token_; }

 private:
  static pscope_op plain(Comm comm, pscope_kind kind, std::uint64_t bytes, std::uint16_t peer) {
    pscope_op op{};
    op.bytes = bytes;
    op.sequence = PSCOPE_SEQUENCE_AUTO;
    op.comm = comm.id();
    op.peer = peer;
    op.kind = static_cast<std::uint8_t>(kind);
    return op;
  }

  pscope_session* session_;
  pscope_token token_;
  int exceptions_;
  pscope_status status_ = PSCOPE_STATUS_OK;
};

// A profile session: opens in the constructor, closes in the destructor, on any thread. May nest and
// overlap with others; `peerscope profile --name NAME` reports what happened in all that have one
// name.
class ScopedProfile {
 public:
  // `name` from Session::profile_name: one record, no lock.
  ScopedProfile(const Session& session, std::uint16_t name, pscope_scope of = PSCOPE_SCOPE_PROCESS)
      : session_(session.handle()), profile_(pscope_profile_begin(session_, name, of)) {}
  // Looks the name up first, with a lock: not for the hot path.
  ScopedProfile(const Session& session, const char* name, pscope_scope of = PSCOPE_SCOPE_PROCESS)
      : session_(session.handle()),
        profile_(pscope_profile_begin(session_, pscope_profile_name(session_, name), of)) {}
  ~ScopedProfile() { end(); }
  ScopedProfile(const ScopedProfile&) = delete;
  ScopedProfile& operator=(const ScopedProfile&) = delete;

  // Before the destructor does.
  void end() { pscope_profile_end(session_, std::exchange(profile_, {})); }

 private:
  pscope_session* session_;
  pscope_profile profile_;
};

}  // namespace v1
}  // namespace peerscope

#endif  // PEERSCOPE_PEERSCOPE_HPP
