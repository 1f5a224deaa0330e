#include "cli/pinning.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using List = std::vector<int>;

TEST(Pinning, ListsAreReadAndWrittenAsSysfsDoes) {
  EXPECT_THAT(parse_cpu_list("0-2,8,10-11\n"), ElementsAre(0, 1, 2, 8, 10, 11));
  EXPECT_THAT(parse_cpu_list(""), IsEmpty());
  EXPECT_THAT(parse_cpu_list("x"), IsEmpty());
  EXPECT_EQ(format_cpu_list({0, 1, 2, 8, 10, 11}), "0-2,8,10-11");
}

TEST(Pinning, RanksOfOneNodeGetEqualPartsOfBothThreadsOfItsCores) {
  const List node = parse_cpu_list("0-3,8-11");
  const auto parts = share_out({node, node}, parse_cpu_list("0-15"));
  EXPECT_THAT(parts, ElementsAre(parse_cpu_list("0-1,8-9"), parse_cpu_list("2-3,10-11")));
}

TEST(Pinning, RanksOfDifferentNodesGetTheirWholeNode) {
  const auto parts = share_out({{0, 1}, {2, 3}}, {0, 1, 2, 3});
  EXPECT_THAT(parts, ElementsAre(List{0, 1}, List{2, 3}));
}

TEST(Pinning, OnlyAllowedProcessorsAreUsedAndAllOfThemWhereNoneIsNear) {
  EXPECT_THAT(share_out({{0, 1, 2, 3}}, {2, 3, 9}), ElementsAre(List{2, 3}));
  EXPECT_THAT(share_out({{}, {0, 1}}, {6, 7}), ElementsAre(List{6}, List{7}));
}

TEST(Pinning, MoreRanksThanProcessorsShareThem) {
  EXPECT_THAT(
      share_out({{4, 5}, {4, 5}, {4, 5}}, {4, 5}),
      ElementsAre(testing::Not(IsEmpty()), testing::Not(IsEmpty()), testing::Not(IsEmpty())));
}

TEST(Pinning, ADevicesNeighboursComeFromItsPciFolder) {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / fmt::format("pscope-sysfs-{}", getpid());
  fs::create_directories(root / "bus/pci/devices/0000:ab:00.0");
  std::ofstream(root / "bus/pci/devices/0000:ab:00.0/local_cpulist") << "16-17\n";
  EXPECT_THAT(cpus_near("0000:AB:00.0", root.string()), ElementsAre(16, 17));
  EXPECT_THAT(cpus_near("0000:AC:00.0", root.string()), IsEmpty());
  fs::remove_all(root);
}

}  // namespace
}  // namespace peerscope
