#include "http/assets.hpp"

#include <algorithm>

namespace peerscope::http {

const Asset* find_asset(std::span<const Asset> assets, std::string_view path) {
  const auto named = [&](std::string_view name) -> const Asset* {
    const auto found = std::find_if(assets.begin(), assets.end(),
                                    [name](const Asset& asset) { return asset.path == name; });
    return found == assets.end() ? nullptr : &*found;
  };
  if (const Asset* asset = named(path)) return asset;
  const bool is_file = path.substr(path.rfind('/') + 1).find('.') != std::string_view::npos;
  return is_file ? nullptr : named("/index.html");
}

bool is_immutable(const Asset& asset) { return asset.path.starts_with("/assets/"); }

std::string_view page_without_dashboard() {
  return R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>peerscope</title></head><body>
<h1>peerscope is running; this build has no dashboard</h1>
<p>The dashboard is left out where npm was not found. Install npm, run <code>./dev build</code> and start again.</p>
<p>All data is there without it: <a href="/api/v1/health">/api/v1/health</a>,
<a href="/api/v1/overview">/api/v1/overview</a>, <a href="/metrics">/metrics</a>, or <code>peerscope top</code>.</p>
</body></html>
)";
}

}  // namespace peerscope::http
