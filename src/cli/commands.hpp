// All commands. A new one is a file, a line here and a line in main.cpp's table.
#pragma once

#include "cli/args.hpp"

namespace peerscope {

extern const Command kDemoCommand;
extern const Command kRunCommand;
extern const Command kTopCommand;
extern const Command kReportCommand;
extern const Command kSessionsCommand;
extern const Command kLevelCommand;
extern const Command kBenchRecordCommand;
extern const Command kBenchDeliveryCommand;
extern const Command kBenchOverheadCommand;
extern const Command kBenchCollectiveCommands[];
extern const int kBenchCollectiveCommandCount;

}  // namespace peerscope
