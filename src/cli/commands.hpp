// All commands. A new one is a file, a line here and a line in main.cpp's table.
#pragma once

#include "cli/args.hpp"

namespace peerscope {

extern const Command kDemoCommand;
extern const Command kRunCommand;
extern const Command kServeCommand;
extern const Command kTopCommand;
extern const Command kReportCommand;
extern const Command kAlertsCommand;
extern const Command kSessionsCommand;
extern const Command kRecordCommand;
extern const Command kInfoCommand;
extern const Command kExllamaCommand;
extern const Command kDoctorSourcesCommand;
extern const Command kQueryCommand;
extern const Command kExportCommand;
extern const Command kImportCommand;
extern const Command kMergeCommand;
extern const Command kDebugEventsCommand;
extern const Command kDebugErrorsCommand;
extern const Command kDebugTraceCommand;
extern const Command kDebugInflightCommand;
extern const Command kDebugHangCommand;
extern const Command kDebugBundleCommand;
extern const Command kDevicesCommand;
extern const Command kRasCommand;
extern const Command kProfileCommand;
extern const Command kProfileCompareCommand;
extern const Command kLevelCommand;
extern const Command kVerifyCommand;
extern const Command kSimulateCommand;
extern const Command kConfigCommands[];
extern const int kConfigCommandCount;
extern const Command kBenchRecordCommand;
extern const Command kBenchDeliveryCommand;
extern const Command kBenchOverheadCommand;
extern const Command kBenchTraceCommand;
extern const Command kBenchMonitorCommand;
extern const Command kBenchNcclCallbackCommand;
extern const Command kBenchCompareCommand;
extern const Command kBenchP2pCommand;
extern const Command kBenchOverlapCommand;
extern const Command kBenchScaleCommand;
extern const Command kBenchDtypeCommand;
extern const Command kBenchSuiteCommand;
extern const Command kBenchTuneCommand;
extern const Command kBenchCollectiveCommands[];
extern const int kBenchCollectiveCommandCount;

}  // namespace peerscope
