// Files of a folder in a program: what tools/embed.py and cmake/pscope_embed.cmake make of tests/data/site.
#include <string>

#include <gtest/gtest.h>

#include "http/assets.hpp"

namespace peerscope::http {
namespace {

const Asset* named(std::string_view path) {
  for (const Asset& asset : embedded_assets())
    if (asset.path == path) return &asset;
  return nullptr;
}

TEST(Embed, EachFileIsThereWithItsTypeAndItsBytes) {
  ASSERT_EQ(embedded_assets().size(), 3U);
  const Asset* const page = named("/index.html");
  const Asset* const script = named("/assets/a-1f.js");
  const Asset* const odd = named("/an odd name.bin");
  ASSERT_TRUE(page && script && odd);
  EXPECT_EQ(page->type, "text/html; charset=utf-8");
  EXPECT_EQ(script->type, "text/javascript; charset=utf-8");
  EXPECT_EQ(odd->type, "application/octet-stream");
  for (const Asset* asset : {page, script, odd}) {
    EXPECT_TRUE(asset->gzip.starts_with("\x1f\x8b")) << asset->path;
    EXPECT_EQ(asset->etag.size(), 34U);
    EXPECT_TRUE(asset->etag.starts_with('"') && asset->etag.ends_with('"'));
  }
  // The last four bytes of gzip are the length of what is inside.
  EXPECT_EQ(odd->gzip.substr(odd->gzip.size() - 4), std::string_view("\3\0\0\0", 4));
  EXPECT_NE(page->etag, script->etag);
}

}  // namespace
}  // namespace peerscope::http
