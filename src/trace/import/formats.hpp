// The importers that import.cpp lists.
#pragma once

#include "trace/import/import.hpp"

namespace peerscope {

using ImportFunction = Result<ImportCounts>(const ByteSource&, const ImportOptions&, ImportSink&);
ImportFunction import_inspector, import_chrome, import_nccl_tests, import_nccl_tests_json,
    import_nvbandwidth;
bool recognises_inspector(std::string_view head);
bool recognises_chrome(std::string_view head);
bool recognises_nccl_tests(std::string_view head);
bool recognises_nccl_tests_json(std::string_view head);
bool recognises_nvbandwidth(std::string_view head);

}  // namespace peerscope
