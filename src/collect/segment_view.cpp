#include "collect/segment_view.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/segment.hpp"

namespace peerscope {
namespace {

Error bad(ErrorCode code, const std::string& path, std::string_view what) {
  return {code, fmt::format("{}: {}", path, what)};
}

std::string fixed_text(const char* text, std::size_t bytes) { return {text, strnlen(text, bytes)}; }

// What is wrong with this header, or nothing.
std::string_view header_fault(const SegmentHeader& header, std::uint64_t file_bytes) {
  if (header.magic != kSegmentMagic) return "not a peerscope segment";
  if (header.version != kSegmentVersion || header.header_bytes != sizeof(SegmentHeader)) {
    return "a segment of another version of peerscope; use that version's command to read it";
  }
  if (header.segment_bytes != file_bytes || file_bytes < kRingsOffset)
    return "the segment is cut short";
  return {};
}

}  // namespace

Result<SegmentView> SegmentView::open(const std::string& path) {
  SegmentView view;
  view.path_ = path;
  view.file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  view.writable_ = view.file_ >= 0;
  if (!view.writable_) view.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (view.file_ < 0) return bad(ErrorCode::io, path, std::strerror(errno));
  struct stat status{};
  if (fstat(view.file_, &status) != 0) return bad(ErrorCode::io, path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return bad(ErrorCode::corrupt, path, "not a regular file");
  if (status.st_uid != geteuid() && geteuid() != 0)
    return bad(ErrorCode::io, path, "belongs to another user");
  view.bytes_ = static_cast<std::uint64_t>(status.st_size);
  if (view.bytes_ < kRingsOffset) return bad(ErrorCode::corrupt, path, "too short for a segment");
  const int protection = view.writable_ ? PROT_READ | PROT_WRITE : PROT_READ;
  void* base = mmap(nullptr, view.bytes_, protection, MAP_SHARED | MAP_NORESERVE, view.file_, 0);
  if (base == MAP_FAILED) return bad(ErrorCode::io, path, std::strerror(errno));
  view.base_ = static_cast<std::byte*>(base);
  // The magic is written last: whoever sees it sees the header.
  reinterpret_cast<const Word*>(&view.header().magic)->load(std::memory_order_acquire);
  const std::string_view fault = header_fault(view.header(), view.bytes_);
  if (!fault.empty()) return bad(ErrorCode::corrupt, path, fault);
  return view;
}

SegmentView::SegmentView(SegmentView&& other) noexcept { *this = std::move(other); }

SegmentView& SegmentView::operator=(SegmentView&& other) noexcept {
  if (this == &other) return *this;
  release();
  base_ = std::exchange(other.base_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  file_ = std::exchange(other.file_, -1);
  writable_ = other.writable_;
  path_ = std::move(other.path_);
  return *this;
}

SegmentView::~SegmentView() { release(); }

void SegmentView::release() {
  if (base_ != nullptr) munmap(base_, bytes_);
  if (file_ >= 0) close(file_);
  base_ = nullptr;
  file_ = -1;
}

std::uint32_t SegmentView::ring_count() const {
  return std::min(header().ring_count.load(std::memory_order_acquire), kMaxRings);
}

const RingHeader* SegmentView::ring(std::uint32_t index) const {
  if (index >= kMaxRings) return nullptr;
  const std::uint64_t offset = tables().ring_offsets[index].load(std::memory_order_relaxed);
  if (offset < kRingsOffset || offset % 64 != 0 || offset > bytes_ ||
      sizeof(RingHeader) > bytes_ - offset)
    return nullptr;
  return reinterpret_cast<const RingHeader*>(base_ + offset);
}

const Slot* SegmentView::block(std::uint64_t offset, std::uint64_t log2_capacity) const {
  if (log2_capacity < 4 || log2_capacity > kLargestRingLog2 || offset < kRingsOffset ||
      offset % 32 != 0)
    return nullptr;
  const std::uint64_t size = block_bytes(static_cast<unsigned>(log2_capacity));
  if (offset > bytes_ || size > bytes_ - offset) return nullptr;
  return reinterpret_cast<const Slot*>(base_ + offset);
}

std::string SegmentView::text(std::uint16_t id) const {
  if (id == 0 || id > header().name_count.load(std::memory_order_acquire) || id >= kMaxNames)
    return {};
  const NameEntry entry = tables().names[id];
  if (entry.offset > kNameBytes || entry.length > kNameBytes - entry.offset) return {};
  return {tables().name_bytes + entry.offset, entry.length};
}

std::optional<CommInfo> SegmentView::comm(std::uint16_t id) const {
  if (id == 0 || id > header().comm_count.load(std::memory_order_acquire) || id >= kMaxComms)
    return std::nullopt;
  const CommEntry& entry = tables().comms[id];
  CommInfo info;
  info.id = entry.id;
  info.rank = static_cast<std::uint16_t>(std::min<std::uint32_t>(entry.rank, kNoRank));
  info.ranks = static_cast<std::uint16_t>(std::min<std::uint32_t>(entry.ranks, kNoRank));
  info.device = entry.device;
  info.backend =
      entry.backend < PSCOPE_BACKEND_COUNT ? static_cast<Backend>(entry.backend) : Backend::unknown;
  info.name = text(entry.name);
  return info;
}

std::string SegmentView::session() const {
  return fixed_text(header().session, sizeof header().session);
}
std::string SegmentView::process_name() const {
  return fixed_text(header().name, sizeof header().name);
}

ProcessState SegmentView::state() const {
  if (header().state.load(std::memory_order_acquire) ==
      static_cast<std::uint32_t>(SegmentState::ended)) {
    return ProcessState::ended;
  }
  const bool same_boot = header().boot_id == read_boot_id();
  const std::uint64_t start = same_boot ? process_start_time(header().pid) : 0;
  return start != 0 && start == header().start_time ? ProcessState::live : ProcessState::dead;
}

std::int64_t SegmentView::last_sign_ns() const {
  std::uint64_t sign = header().ended_mono_ns.load(std::memory_order_relaxed);
  if (const std::uint32_t count = header().calibration_count.load(std::memory_order_acquire);
      sign == 0 && count != 0) {
    sign = header().calibrations[(count - 1) % kMaxCalibrations].mono_ns.load(
        std::memory_order_relaxed);
  }
  if (sign == 0) sign = header().created_mono_ns;
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(sign, INT64_MAX / 4));  // room to reckon with a corrupt one
}

std::uint64_t SegmentView::allocate_block(std::uint64_t log2_capacity) const {
  if (!writable_ || log2_capacity > kLargestRingLog2) return 0;
  Segment segment;
  segment.base = base_;
  segment.bytes = bytes_;
  segment.file = file_;
  return allocate(segment, block_bytes(static_cast<unsigned>(log2_capacity)));
}

void SegmentView::touch_block(std::uint64_t offset, std::uint64_t bytes) const {
  Segment segment;
  segment.base = base_;
  segment.bytes = bytes_;
  touch(segment, offset, bytes);
}

}  // namespace peerscope
