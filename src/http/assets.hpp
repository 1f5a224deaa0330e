// The dashboard's files, which are part of the program.
#pragma once

#include <span>
#include <string_view>

namespace peerscope::http {

struct Asset {
  std::string_view path;  // "/assets/index-4f2a.js"
  std::string_view type;  // "text/javascript; charset=utf-8"
  std::string_view etag;  // with its quotes
  std::string_view gzip;  // the file, compressed
};

// What `web/dist` held when this was built (cmake/pscope_embed.cmake); empty: there was no such folder.
std::span<const Asset> embedded_assets();

// The file of that path. A path without a dot in its last segment is a view of the dashboard: /index.html. Null: none.
const Asset* find_asset(std::span<const Asset> assets, std::string_view path);

// Names that hold a hash of what is in them never mean something else.
[[nodiscard]] bool is_immutable(const Asset& asset);

// What `/` says where nothing is embedded.
std::string_view page_without_dashboard();

}  // namespace peerscope::http
