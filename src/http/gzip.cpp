#include "http/gzip.hpp"

#include <array>

#include <zlib.h>

namespace peerscope::http {
namespace {

constexpr int kGzipFormat = 15 + 16;  // zlib's words for: the largest window, and gzip's header
constexpr int kMemoryLevel = 8;

Bytef* bytes_of(std::string_view text) {  // zlib does not write there; its type does not say so
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

}  // namespace

struct GzipStream::State {
  z_stream stream{};
};

GzipStream::GzipStream(std::unique_ptr<State> state) : state_(std::move(state)) {}

GzipStream::~GzipStream() { deflateEnd(&state_->stream); }

std::unique_ptr<GzipStream> GzipStream::open() {
  auto state = std::make_unique<State>();
  if (deflateInit2(&state->stream, Z_BEST_SPEED, Z_DEFLATED, kGzipFormat, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return nullptr;
  return std::unique_ptr<GzipStream>(new GzipStream(std::move(state)));
}

std::string GzipStream::put(std::string_view piece, bool last) {
  z_stream& stream = state_->stream;
  std::string out;
  std::array<char, 16 << 10> buffer;
  stream.next_in = bytes_of(piece);
  stream.avail_in = static_cast<uInt>(piece.size());
  do {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    if (deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR) break;
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  } while (stream.avail_out == 0);
  return out;
}

std::optional<std::string> gzipped(std::string_view body) {
  const auto stream = GzipStream::open();
  if (!stream) return std::nullopt;
  return stream->put(body, true);
}

std::optional<std::string> gunzipped(std::string_view bytes, std::size_t max_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipFormat) != Z_OK) return std::nullopt;
  std::string out;
  std::array<char, 16 << 10> buffer;
  stream.next_in = bytes_of(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  int code = Z_OK;
  while (code == Z_OK && out.size() <= max_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return code == Z_STREAM_END && out.size() <= max_bytes ? std::optional(out) : std::nullopt;
}

}  // namespace peerscope::http
