// What libraries that run in somebody's job have to say: one line on standard error, and seldom.
#pragma once

#include <stdarg.h>

namespace peerscope {

// "peerscope (WHO): ...". In one write, so that lines of several processes do not mix; cut off at 767 bytes.
void say_line(const char* who, const char* format, va_list arguments);

}  // namespace peerscope
