// Shows a rank's pool among the session's metrics: pool.rank3.used_bytes, pool.rank3.capacity_bytes.
#pragma once

#include <string>

#include "comm/pool.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {

inline void show_pool(Pool& pool, pscope_session* session, int rank) {
  if (session == nullptr) return;
  const std::string prefix = "pool.rank" + std::to_string(rank);
  const pscope_metric used = pscope_gauge(session, (prefix + ".used_bytes").c_str(), "B");
  const pscope_metric capacity = pscope_gauge(session, (prefix + ".capacity_bytes").c_str(), "B");
  pool.watch([=](const PoolStats& stats) {
    pscope_gauge_set(session, used, static_cast<double>(stats.used));
    pscope_gauge_set(session, capacity, static_cast<double>(stats.capacity));
  });
}

}  // namespace peerscope
