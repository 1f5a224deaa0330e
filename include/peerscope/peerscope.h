/* peerscope.h: record what GPUs (or ranks) say to each other. The C ABI, and the whole of it.
 *
 * Conventions
 *  - Once a thread has recorded its first operation, recording blocks on nothing, takes no lock,
 *    allocates nothing and makes no system call; but for level comprehensive, where a call site's
 *    first operation looks up its name. What cannot be recorded is counted; the job goes on.
 *  - Every function without a trailing underscore accepts a NULL session and does nothing. (Those
 *    with one belong to the inline functions.)
 *  - Every function may be called from any thread. Operations may also be recorded in a signal
 *    handler, up to level detailed, on threads that have recorded before: a record that interrupts
 *    another on the same thread is not written, and counted.
 *  - Times are nanoseconds, sizes are bytes. `uint16_t` ids come from the register functions below;
 *    0 means "none".
 *  - Functions that can fail return 0 or a negative errno; pscope_open also says why in words.
 *  - The library needs libc only, starts no thread, and exports nothing but pscope_*.
 */
#ifndef PEERSCOPE_PEERSCOPE_H
#define PEERSCOPE_PEERSCOPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSCOPE_ABI_VERSION 1
#define PSCOPE_API __attribute__((visibility("default")))

/* How much is recorded. May change at any time, also from outside the process. */
enum pscope_level {
  PSCOPE_LEVEL_OFF = 0,           /* one relaxed load and a predicted branch */
  PSCOPE_LEVEL_BASIC = 1,         /* every operation counted, one in 64 timed */
  PSCOPE_LEVEL_DETAILED = 2,      /* every operation timed, in flight visible (default) */
  PSCOPE_LEVEL_COMPREHENSIVE = 3, /* and its phases and call site, within a budget */
};

enum pscope_kind {
  PSCOPE_KIND_OTHER = 0,
  PSCOPE_KIND_SEND = 1,
  PSCOPE_KIND_RECV = 2,
  PSCOPE_KIND_COPY = 3, /* one-sided: source to destination device */
  PSCOPE_KIND_BROADCAST = 4,
  PSCOPE_KIND_REDUCE = 5,
  PSCOPE_KIND_ALL_REDUCE = 6,
  PSCOPE_KIND_ALL_GATHER = 7,
  PSCOPE_KIND_REDUCE_SCATTER = 8,
  PSCOPE_KIND_GATHER = 9,
  PSCOPE_KIND_SCATTER = 10,
  PSCOPE_KIND_ALL_TO_ALL = 11,
  PSCOPE_KIND_BARRIER = 12,
  PSCOPE_KIND_PUT = 13,
  PSCOPE_KIND_GET = 14,
  PSCOPE_KIND_SIGNAL = 15,
  PSCOPE_KIND_COMPUTE = 16, /* what a rank did between its communications */
  PSCOPE_KIND_COUNT = 17,   /* at most 32 */
};

enum pscope_algorithm {
  PSCOPE_ALGORITHM_UNKNOWN = 0,
  PSCOPE_ALGORITHM_DIRECT = 1, /* one-shot: everybody reads everybody */
  PSCOPE_ALGORITHM_TWO_SHOT = 2,
  PSCOPE_ALGORITHM_RING = 3,
  PSCOPE_ALGORITHM_BINARY_TREE = 4,
  PSCOPE_ALGORITHM_KARY_TREE = 5,
  PSCOPE_ALGORITHM_BALANCED_TREE = 6,
  PSCOPE_ALGORITHM_TREE = 7, /* NCCL's names from here */
  PSCOPE_ALGORITHM_COLLNET_DIRECT = 8,
  PSCOPE_ALGORITHM_COLLNET_CHAIN = 9,
  PSCOPE_ALGORITHM_NVLS = 10,
  PSCOPE_ALGORITHM_NVLS_TREE = 11,
  PSCOPE_ALGORITHM_PAT = 12,
  PSCOPE_ALGORITHM_SYMMETRIC = 13,
  PSCOPE_ALGORITHM_COPY_ENGINE = 14,
  PSCOPE_ALGORITHM_HOST_STAGED = 15,
  PSCOPE_ALGORITHM_COUNT = 16, /* at most 32 */
};

enum pscope_protocol {
  PSCOPE_PROTOCOL_UNKNOWN = 0,
  PSCOPE_PROTOCOL_SIMPLE = 1,
  PSCOPE_PROTOCOL_LL = 2,
  PSCOPE_PROTOCOL_LL128 = 3,
  PSCOPE_PROTOCOL_COUNT = 4, /* at most 8 */
};

enum pscope_dtype {
  PSCOPE_DTYPE_UNKNOWN = 0,
  PSCOPE_DTYPE_I8 = 1,
  PSCOPE_DTYPE_U8 = 2,
  PSCOPE_DTYPE_I32 = 3,
  PSCOPE_DTYPE_U32 = 4,
  PSCOPE_DTYPE_I64 = 5,
  PSCOPE_DTYPE_U64 = 6,
  PSCOPE_DTYPE_F16 = 7,
  PSCOPE_DTYPE_BF16 = 8,
  PSCOPE_DTYPE_F32 = 9,
  PSCOPE_DTYPE_F64 = 10,
  PSCOPE_DTYPE_F8E4M3 = 11,
  PSCOPE_DTYPE_F8E5M2 = 12,
  PSCOPE_DTYPE_COUNT = 13, /* at most 16 */
};

enum pscope_status {
  PSCOPE_STATUS_OK = 0,
  PSCOPE_STATUS_ERROR = 1,
  PSCOPE_STATUS_TIMEOUT = 2,
  PSCOPE_STATUS_PEER_LOST = 3,
  PSCOPE_STATUS_MISMATCH = 4, /* ranks disagree about the operation */
  PSCOPE_STATUS_NO_MEMORY = 5,
  PSCOPE_STATUS_CANCELLED = 6,
  PSCOPE_STATUS_COUNT = 7, /* at most 32 */
};

enum pscope_backend {
  PSCOPE_BACKEND_UNKNOWN = 0,
  PSCOPE_BACKEND_HOST = 1, /* ours: shared memory */
  PSCOPE_BACKEND_CUDA = 2, /* ours: peer pointers, CUDA IPC */
  PSCOPE_BACKEND_NCCL = 3,
  PSCOPE_BACKEND_EXLLAMA = 4,
  PSCOPE_BACKEND_SIM = 5,
  PSCOPE_BACKEND_COUNT = 6,
};

enum pscope_severity {
  PSCOPE_SEVERITY_TRACE = 0,
  PSCOPE_SEVERITY_DEBUG = 1,
  PSCOPE_SEVERITY_INFO = 2,
  PSCOPE_SEVERITY_WARNING = 3,
  PSCOPE_SEVERITY_ERROR = 4,
  PSCOPE_SEVERITY_CRITICAL = 5,
};

#define PSCOPE_SEQUENCE_AUTO \
  UINT64_MAX /* next of this kind class on the communicator, counted by the recorder */
#define PSCOPE_NO_PEER 0xFFFFu
#define PSCOPE_NO_DEVICE 0xFFFFu

/* ---- session
 * -------------------------------------------------------------------------------------------------
 */

/* Its first member is public so that the level can be tested inline. Everything else is private. */
typedef struct pscope_session {
  const uint32_t* level; /* never NULL; points to a pscope_level */
} pscope_session;

/* Start from PSCOPE_OPTIONS_INIT: a zeroed level means off. */
typedef struct pscope_options {
  size_t size;         /* sizeof(pscope_options): lets the struct grow */
  const char* name;    /* shown to people; NULL: the program's name */
  const char* session; /* joins processes of one job; NULL: $PEERSCOPE_SESSION, else a new one */
  const char*
      runtime_dir; /* NULL: $PEERSCOPE_RUNTIME_DIR, /dev/shm/peerscope-UID, /tmp/peerscope-UID */
  int level;       /* -1: $PEERSCOPE_LEVEL (off, basic, detailed, comprehensive), else detailed */
  size_t segment_bytes;       /* most memory that this process' rings may take; 0:
                           $PEERSCOPE_SEGMENT_BYTES, else 64 MiB */
  uint32_t detail_budget_ppm; /* level comprehensive: phases and call sites of as many operations as
                                 cost at most this share of each thread's time, in millionths; 0:
                                 10,000 (1 %); PSCOPE_UNLIMITED: of all */
  uint32_t reserved;
} pscope_options;
#define PSCOPE_UNLIMITED UINT32_MAX
#define PSCOPE_OPTIONS_INIT {sizeof(pscope_options), NULL, NULL, NULL, -1, 0, 0, 0}

/* Opens a recorder with a segment of its own. `options` may be NULL. On failure returns NULL or,
 * where only the segment could not be made, a session whose level stays off; in both cases `*why`
 * (if given) is a sentence. */
PSCOPE_API pscope_session* pscope_open(const pscope_options* options, const char** why);
/* Marks the segment as ended (so does exit()). No other thread may be inside a call on this session; later calls do
 * nothing. */
PSCOPE_API void pscope_close(pscope_session* session);
PSCOPE_API void pscope_set_level(pscope_session* session, int level);
PSCOPE_API int pscope_get_level(const pscope_session* session);
PSCOPE_API const char* pscope_segment_path(const pscope_session* session); /* "" if there is none */
PSCOPE_API const char* pscope_version(void);

typedef struct pscope_stats {
  uint64_t operations; /* counted at any level */
  uint64_t bytes;
  uint64_t errors;      /* ended with a status other than ok */
  uint64_t recorded;    /* records written to rings */
  uint64_t dropped;     /* not written: interrupted record, no ring, in-flight table full */
  uint64_t threads;     /* rings in use */
  uint64_t ring_bytes;  /* memory taken by rings */
  uint64_t overhead_ns; /* estimate of the recorder's own time: records times the cost of one,
                           measured at open */
} pscope_stats;
PSCOPE_API int pscope_get_stats(const pscope_session* session, pscope_stats* out);

/* Only what passes is recorded (everything is still counted). Also settable from outside the
 * process. */
typedef struct pscope_filter {
  uint32_t kinds; /* bit k: pscope_kind k passes; 0 means all */
  uint32_t reserved;
  uint64_t min_bytes; /* operations below are not recorded */
  uint64_t max_bytes; /* 0: no limit */
  uint64_t devices;   /* bit d: communicators on device d pass; 0 means all */
} pscope_filter;
PSCOPE_API int pscope_set_filter(pscope_session* session,
                                 const pscope_filter* filter); /* NULL: everything passes */

/* ---- names
 * ------------------------------------------------------------------------------------------------------
 */

typedef struct pscope_comm_desc {
  uint64_t id;      /* the same on all ranks: NCCL's communicator hash, or any number agreed upon */
  const char* name; /* "tp", "dp0"; may be NULL */
  uint32_t rank, ranks;
  uint16_t device;  /* PSCOPE_NO_DEVICE if none */
  uint16_t backend; /* pscope_backend */
  uint32_t reserved;
} pscope_comm_desc;

/* Each returns an id of this session (equal input, equal id), or 0 when the table is full. Not for
 * the hot path. */
PSCOPE_API uint16_t pscope_comm_register(pscope_session* session, const pscope_comm_desc* desc);
PSCOPE_API uint16_t pscope_stream_register(pscope_session* session, uint64_t handle,
                                           uint16_t device, const char* name);
PSCOPE_API uint16_t pscope_name(pscope_session* session, const char* text);

/* ---- operations
 * -------------------------------------------------------------------------------------------------
 */

typedef struct pscope_op {
  uint64_t bytes; /* of this rank's tensor, as nccl-tests counts "size" (see model/busbw) */
  uint64_t
      sequence;  /* PSCOPE_SEQUENCE_AUTO, or the communicator's own count: ranks are joined by it */
  uint16_t comm; /* from pscope_comm_register; 0: none */
  uint16_t stream;   /* from pscope_stream_register; 0: none. At most 4095 */
  uint16_t peer;     /* the other rank (send, recv, copy) or the root (broadcast, reduce, gather);
                        PSCOPE_NO_PEER */
  uint8_t kind;      /* pscope_kind */
  uint8_t algorithm; /* pscope_algorithm */
  uint8_t protocol;  /* pscope_protocol */
  uint8_t dtype;     /* pscope_dtype */
  uint8_t async;     /* 1: op_end ends the enqueue only; stays in flight until pscope_op_complete,
                        as long as this thread has no more than 47 others in flight */
  uint8_t reserved;
  const void*
      call_site; /* comprehensive: a code address of the caller; NULL: that of pscope_op_begin's */
} pscope_op;

/* 0: nothing to end. Bit 1: the operation is timed; bits 0 and 1: and its phases. Every call
 * accepts any value. */
typedef uint64_t pscope_token;

PSCOPE_API pscope_token pscope_op_begin_(pscope_session* session, const pscope_op* op);
PSCOPE_API void pscope_op_end_(pscope_session* session, pscope_token token, int status);
PSCOPE_API void pscope_op_phase_(pscope_session* session, pscope_token token, uint16_t name);

/* Begins an operation on this thread. Each begin is answered by exactly one end, on any thread. May
 * nest. */
static inline pscope_token pscope_op_begin(pscope_session* session, const pscope_op* op) {
  if (!session || __atomic_load_n(session->level, __ATOMIC_RELAXED) == PSCOPE_LEVEL_OFF) return 0;
  return pscope_op_begin_(session, op);
}
/* Ends it with a pscope_status: this is what is written to the ring. */
static inline void pscope_op_end(pscope_session* session, pscope_token token, int status) {
  if (!(token & 2) && (status == PSCOPE_STATUS_OK || token == 0)) return;
  pscope_op_end_(session, token, status);
}
/* Marks the end of a phase (comprehensive only): its time runs from the last mark, or from begin,
 * to now. */
static inline void pscope_op_phase(pscope_session* session, pscope_token token, uint16_t name) {
  if ((token & 3) != 3) return;
  pscope_op_phase_(session, token, name);
}
/* An `async` operation has left the device. Any thread. The token is spent. */
PSCOPE_API void pscope_op_complete(pscope_session* session, pscope_token token, int status);
/* What the device's own clock said about an operation, by its identity, at any later time.
 * `device_clock` numbers the clock (usually the device); see pscope_device_clock. */
typedef struct pscope_device_times {
  uint64_t sequence;
  uint64_t begin_ns, end_ns; /* on the device's clock */
  uint64_t bytes;
  uint16_t comm;
  uint16_t device_clock;
  uint8_t kind, algorithm;
  uint16_t channel; /* of a copy: its destination, as `peer` of the operation */
} pscope_device_times;
PSCOPE_API void pscope_op_device_times(pscope_session* session, const pscope_device_times* times);
/* Ties a device's clock to the host's CLOCK_MONOTONIC: device_ns was read between the two host
 * times. */
PSCOPE_API void pscope_device_clock(pscope_session* session, uint16_t device_clock,
                                    uint64_t device_ns, uint64_t host_before_ns,
                                    uint64_t host_after_ns);

/* Something happened that is not an operation. `name` from pscope_name; rank and value are the
 * caller's. */
PSCOPE_API void pscope_event(pscope_session* session, int severity, uint16_t name, uint16_t comm,
                             int64_t value);

/* ---- profile sessions: what `peerscope profile --name NAME` is about
 * ------------------------------------------------------------------------------------------------- */

/* Whose operations a session holds: those that begin while it is open. */
enum pscope_scope {
  PSCOPE_SCOPE_PROCESS = 0, /* of all threads of this process */
  PSCOPE_SCOPE_THREAD = 1,  /* of the thread that began it */
  PSCOPE_SCOPE_SESSION = 2, /* of all processes that record into the same session */
};

/* All zero: nothing to end. */
typedef struct pscope_profile {
  int64_t mark;
  uint16_t name;
  uint16_t reserved[3];
} pscope_profile;

/* Returns an id (equal text, equal id), or 0 when the table is full. At most 200 bytes of `text`
 * count. Not for the hot path. */
PSCOPE_API uint16_t pscope_profile_name(pscope_session* session, const char* text);
PSCOPE_API pscope_profile pscope_profile_begin_(pscope_session* session, uint16_t name, int scope);
PSCOPE_API void pscope_profile_end_(pscope_session* session, pscope_profile profile);

/* Opens a profile session. `name` from pscope_profile_name. Sessions may nest and overlap; what is
 * opened again under the same name, on any thread or rank, belongs to the same session. Costs one
 * record; at level off one load and a predicted branch. */
static inline pscope_profile pscope_profile_begin(pscope_session* session, uint16_t name,
                                                  int scope) {
  const pscope_profile none = {0, 0, {0, 0, 0}};
  if (!session || __atomic_load_n(session->level, __ATOMIC_RELAXED) == PSCOPE_LEVEL_OFF)
    return none;
  return pscope_profile_begin_(session, name, scope);
}
/* Ends it, on any thread, also if the level is off by now. */
static inline void pscope_profile_end(pscope_session* session, pscope_profile profile) {
  if (profile.mark == 0) return;
  pscope_profile_end_(session, profile);
}

/* ---- metrics of the user's own
 * -------------------------------------------------------------------------------- */

typedef uint32_t pscope_metric; /* 0: none (table full); every call accepts it */
/* By name; equal names give the same metric. Counter: only goes up. Histogram: log-linear, 8
 * buckets an octave. */
PSCOPE_API pscope_metric pscope_counter(pscope_session* session, const char* name,
                                        const char* unit);
PSCOPE_API pscope_metric pscope_gauge(pscope_session* session, const char* name, const char* unit);
PSCOPE_API pscope_metric pscope_histogram(pscope_session* session, const char* name,
                                          const char* unit);
PSCOPE_API void pscope_counter_add(pscope_session* session, pscope_metric metric, uint64_t amount);
PSCOPE_API void pscope_gauge_set(pscope_session* session, pscope_metric metric, double value);
PSCOPE_API void pscope_histogram_observe(pscope_session* session, pscope_metric metric,
                                         uint64_t value);

#ifdef __cplusplus
}
#endif
#endif /* PEERSCOPE_PEERSCOPE_H */
