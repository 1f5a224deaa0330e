/* The shared library has no code of its own: this gives the linker a C object to start from. */
#include "peerscope/peerscope.h"
const int pscope_abi_version = PSCOPE_ABI_VERSION;
