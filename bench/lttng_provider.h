/* LTTng-UST's tracepoints for an operation. Those ending in _off are never enabled. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER peerscope_bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "lttng_provider.h"

#if !defined(PEERSCOPE_LTTNG_PROVIDER_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define PEERSCOPE_LTTNG_PROVIDER_H

#include <lttng/tracepoint.h>
#include <stdint.h>

/* clang-format off */
LTTNG_UST_TRACEPOINT_EVENT_CLASS(
    peerscope_bench, begin_class,
    LTTNG_UST_TP_ARGS(uint8_t, kind, uint8_t, algorithm, uint64_t, bytes, uint16_t, source,
                      uint16_t, destination, uint16_t, stream, uint64_t, sequence),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(uint8_t, kind, kind)
        lttng_ust_field_integer(uint8_t, algorithm, algorithm)
        lttng_ust_field_integer(uint64_t, bytes, bytes)
        lttng_ust_field_integer(uint16_t, source, source)
        lttng_ust_field_integer(uint16_t, destination, destination)
        lttng_ust_field_integer(uint16_t, stream, stream)
        lttng_ust_field_integer(uint64_t, sequence, sequence)))
LTTNG_UST_TRACEPOINT_EVENT_CLASS(
    peerscope_bench, end_class,
    LTTNG_UST_TP_ARGS(uint64_t, sequence, int, status),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(uint64_t, sequence, sequence)
        lttng_ust_field_integer(int, status, status)))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(peerscope_bench, begin_class, peerscope_bench, begin,
    LTTNG_UST_TP_ARGS(uint8_t, kind, uint8_t, algorithm, uint64_t, bytes, uint16_t, source,
                      uint16_t, destination, uint16_t, stream, uint64_t, sequence))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(peerscope_bench, begin_class, peerscope_bench, begin_off,
    LTTNG_UST_TP_ARGS(uint8_t, kind, uint8_t, algorithm, uint64_t, bytes, uint16_t, source,
                      uint16_t, destination, uint16_t, stream, uint64_t, sequence))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(peerscope_bench, end_class, peerscope_bench, end,
    LTTNG_UST_TP_ARGS(uint64_t, sequence, int, status))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(peerscope_bench, end_class, peerscope_bench, end_off,
    LTTNG_UST_TP_ARGS(uint64_t, sequence, int, status))
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
