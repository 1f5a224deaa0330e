// The checks, one function each; doctor_sources.cpp has the table.
#pragma once

#include "cli/doctor_sources.hpp"

namespace peerscope {

Check built(const DoctorHost& host, const char* source, const char* library, const char* does);

Check nccl_plugin(const DoctorHost& host);
Check nccl_library(const DoctorHost& host);
Check nccl_environment(const DoctorHost& host);
Check cuda_library(const DoctorHost& host);
Check cuda_environment(const DoctorHost& host);
Check cupti(const DoctorHost& host);
Check driver(const DoctorHost& host);
Check device_nodes(const DoctorHost& host);
Check nvml(const DoctorHost& host);

}  // namespace peerscope
