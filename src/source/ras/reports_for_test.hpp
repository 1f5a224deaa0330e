// Reports as NCCL's source writes them (src/ras/client_support.cc of 2.24, 2.28.9 and 2.29), hand-made.
#pragma once

#include <string>

namespace peerscope::ras {

inline const std::string kHandshake = "SERVER PROTOCOL 2\nOK\nOK\n";
inline const std::string kOldHandshake =
    "SERVER PROTOCOL 2\nOK\nERROR: Unknown command SET FORMAT json\n";

inline std::string rank_json(int rank, unsigned all_reduce,
                             const char* more = "\"init_state\": 0,") {
  const std::string number = std::to_string(rank);
  return "        {\n          \"rank\": " + number +
         ",\n          \"host\": \"10.0.0.1\",\n          \"pid\": " + std::to_string(4000 + rank) +
         ",\n          \"cuda_dev\": " + number + ",\n          \"nvml_dev\": " + number +
         ",\n          \"status\": {\n            " + more +
         "\n            \"async_error\": 0,\n            \"finalize_called\": false,\n            "
         "\"destroy_flag\": false,\n            \"abort_flag\": false\n          },\n          "
         "\"collective_counts\": {\n            \"Broadcast\": 1,\n            \"AllReduce\": " +
         std::to_string(all_reduce) + "\n          }\n        }";
}

inline std::string report_json(const std::string& ranks, const std::string& missing = "",
                               int missing_count = 0) {
  return "{\n  \"nccl_version\": \"2.28.9\",\n  \"cuda_runtime_version\": 13000,\n  "
         "\"cuda_driver_version\": 13000,\n  \"timestamp\": \"2026-01-01 00:00:00\",\n  "
         "\"communicators_count\": 1,\n  \"communicators\": [\n    {\n      \"hash\": "
         "\"0xd4cb1d3d6d1cf2a1\",\n      \"secondary_hash\": \"0x1:0x2\",\n      \"size\": 4,\n    "
         "  "
         "\"ranks_count\": 4,\n      \"missing_ranks_count\": " +
         std::to_string(missing_count) + ",\n      \"ranks\": [\n" + ranks +
         "\n      ],\n      \"missing_ranks\": [\n" + missing +
         "\n      ]\n    }\n  ],\n  \"ras\": {\n    \"collection_time_sec\": 0.012,\n    "
         "\"timeouts_count\": 1\n  }\n}\n";
}

// `comma`: as of 2.29.2. Without: as 2.28.7 to 2.28.9 write it, which is no JSON.
inline std::string missing_json(int rank, bool comma) {
  return "        {\n          \"rank\": " + std::to_string(rank) +
         ",\n          \"host\": \"10.0.0.1\",\n          \"pid\": 4003,\n          \"cuda_dev\": "
         "3,\n          \"nvml_dev\": 5" +
         (comma ? "," : "") +
         "\n          \"status\": {\n            \"unresponsive\": true,\n            "
         "\"considered_dead\": false\n          }\n        }";
}

inline const char* const kTextWell =
    R"(NCCL version 2.27.3 compiled with CUDA 12.9
CUDA runtime version 12090, driver version 13000

Job summary
===========

  Nodes  Processes         GPUs  Processes     GPUs
(total)   per node  per process    (total)  (total)

      1          8            1          8        8

Communicators... (0.00s)
=============

Group     Comms     Nodes     Ranks     Ranks     Ranks    Status  Errors
    #  in group  per comm  per node  per comm  in group
    0         2         1         8         8         8   RUNNING      OK

Errors
======

Warnings
========

)";

inline const char* const kTextTrouble =
    R"(NCCL version 2.27.3 compiled with CUDA 12.9
CUDA runtime version 12090, driver version 13000

Communicators... (5.00s)
=============

Group     Comms     Nodes     Ranks     Ranks     Ranks    Status  Errors
    #  in group  per comm  per node  per comm  in group
    0         1         1         8         8         8   RUNNING  INCOMPLETE,MISMATCH
    1         1         1       2-4         4         4   RUNNING  MISMATCH

Errors
======

INCOMPLETE
  Missing communicator data from 1 job process
  Process 4006 on node 10.0.0.1 managing GPU 6

DEAD
  1 job process is considered dead (unreachable via the RAS network)
  Process 4007 on node 10.0.0.1 managing GPUs 6,7 (NVML 4,5)

#0-0 (d4cb1d3d6d1cf2a1) INCOMPLETE
  Missing communicator data from 1 rank
  Rank 6 -- GPU 6 managed by process 4006 on node 10.0.0.1

#0-0 (d4cb1d3d6d1cf2a1) ERROR
  Asynchronous error on 1 rank
  Rank 5 reported Remote process error -- GPU 5 managed by process 4005 on node 10.0.0.1

Warnings
========

TIMEOUT
  Encountered 2 communication timeouts while gathering communicator data

#0-0 (d4cb1d3d6d1cf2a1) MISMATCH
  Communicator ranks have different AllReduce operation counts
  5 ranks have launched up to operation 120
  2 ranks have launched up to operation 117
  Rank 3 -- GPU 3 managed by process 4003 on node 10.0.0.1
  Rank 4 -- GPU 4 managed by process 4004 on node 10.0.0.1
  Communicator ranks have different ReduceScatter operation counts
  6 ranks have launched up to operation 8
  Rank 2 has not launched any operations -- GPU 2 managed by process 4002 on node 10.0.0.1

#1-0 (00000000000000ff) MISMATCH
  Communicator ranks have different status
  3 ranks have status RUNNING
  Rank 1 has status INIT -- GPU 1 (NVML 5) managed by process 4001 on node 10.0.0.2

)";

}  // namespace peerscope::ras
