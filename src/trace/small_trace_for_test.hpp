// A small trace with something of everything, for tests of what reads traces.
#pragma once

#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "trace/reader.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {

class SmallTrace {
 public:
  explicit SmallTrace(const std::vector<Op>& ops, std::uint32_t chunk_operations = 65'536,
                      bool close = true)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("peerscope-small-{}-{}.pscope", getpid(), ++count())) {
    TraceWriterOptions options;
    options.chunk_operations = chunk_operations;
    options.time_step_ns = 1;
    auto writer = TraceWriter::create(path_, options);
    writer->add(ops);
    for (const Mark& mark : marks()) writer->add(mark);
    writer->set_meta(meta());
    if (close) {
      static_cast<void>(writer->close());
    } else {
      writer->tick(1);
      writer->tick(INT64_MAX / 2);
      std::filesystem::copy_file(path_, path_ + ".open",
                                 std::filesystem::copy_options::overwrite_existing);
      static_cast<void>(writer->close());
      std::filesystem::rename(path_ + ".open", path_);
    }
  }
  ~SmallTrace() { std::filesystem::remove(path_); }
  SmallTrace(const SmallTrace&) = delete;
  SmallTrace& operator=(const SmallTrace&) = delete;

  [[nodiscard]] TraceReader open() const { return std::move(*TraceReader::open(path_)); }
  [[nodiscard]] const std::string& path() const { return path_; }

  static TraceMeta meta() {
    TraceMeta meta;
    meta.session = "small \"trace\" <&>";
    meta.command = "test, with a comma";
    meta.version = "1";
    meta.clock.real_offset_ns = 1'700'000'000'000'000'000;
    meta.hosts.push_back({"host-a", "Linux", "boot", 0, 0});
    for (std::uint32_t i = 0; i < 8; ++i) {
      TraceProcess process;
      process.index = i;
      process.pid = 1000 + i;
      process.name = fmt::format("rank {}", i);
      meta.processes.push_back(process);
    }
    TraceComm comm{0x7470, "tp, \"main\"", 8, Backend::host, {}};
    for (std::uint16_t rank = 0; rank < 8; ++rank) comm.members.push_back({rank, rank, rank});
    meta.communicators.push_back(comm);
    meta.names = {{0, 1, "copy in"}, {0, 2, "bad \xff utf-8 \n <x>"}};
    meta.devices.push_back({0, 0, "H200", "GPU-0", "0000:03:00.0"});
    meta.links.push_back({0, 0, 1, "NV18", 478e9, -1, "test"});
    meta.measurements.push_back({"t", "case", "GB/s", 12.5, 0, 1, 1 << 20});
    return meta;
  }

  static std::vector<Mark> marks() {
    std::vector<Mark> all(3);
    all[0].type = MarkType::phase;
    all[0].at_ns = 1100;
    all[0].duration_ns = 50;
    all[0].name = 1;
    all[0].rank = 0;
    all[1].type = MarkType::event;
    all[1].at_ns = 1200;
    all[1].name = 2;
    all[1].value = -7;
    all[2].type = MarkType::completion;
    all[2].at_ns = 1000;
    all[2].duration_ns = 500;
    all[2].rank = 1;
    return all;
  }

  // Every collective by all ranks of a communicator of four, each rank a process.
  static std::vector<Op> collectives(int count) {
    std::vector<Op> ops;
    for (int i = 0; i < count; ++i) {
      for (std::uint16_t rank = 0; rank < 4; ++rank) {
        Op op;
        op.kind = i % 5 == 4 ? Kind::all_gather : Kind::all_reduce;
        op.algorithm = Algorithm::ring;
        op.protocol = Protocol::ll128;
        op.dtype = Dtype::bf16;
        op.backend = Backend::host;
        op.bytes = 4096ull << (i % 3);
        op.begin_ns = 1000 + i * 10'000 + rank * 100 + (rank == 2 ? 1500 : 0);
        op.host_duration_ns = 6000 - rank * 100 - (rank == 2 ? 1500 : 0);
        if (i % 2 == 1) {
          op.async = true;
          op.device_begin_ns = op.begin_ns + 300;
          op.device_duration_ns = op.host_duration_ns + 4000;
        }
        op.status = i == 7 && rank == 1 ? OpStatus::timeout : OpStatus::ok;
        op.sequence = static_cast<std::uint64_t>(i);
        op.comm = 0x7470;
        op.rank = op.device = rank;
        op.process = rank;
        op.ranks = 4;
        ops.push_back(op);
      }
    }
    return ops;
  }

 private:
  static int& count() {
    static int number = 0;
    return number;
  }
  std::string path_;
};

}  // namespace peerscope
