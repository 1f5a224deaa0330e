// Shows a rank's pool among the session's metrics, once something is taken from it: pool.rank3.tp.used_bytes, pool.rank3.tp.capacity_bytes.
#pragma once

#include <string>

#include "comm/pool.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {

inline void show_pool(Pool& pool, pscope_session* session, int rank, const std::string& comm) {
  if (session == nullptr) return;
  const std::string prefix = "pool.rank" + std::to_string(rank) + "." + comm;
  pool.watch([=](const PoolStats& stats) {  // by name: equal names give the same gauge
    const pscope_metric used = pscope_gauge(session, (prefix + ".used_bytes").c_str(), "B");
    const pscope_metric capacity = pscope_gauge(session, (prefix + ".capacity_bytes").c_str(), "B");
    pscope_gauge_set(session, used, static_cast<double>(stats.used));
    pscope_gauge_set(session, capacity, static_cast<double>(stats.capacity));
  });
}

}  // namespace peerscope
