// The scheduler of emulated CUDA blocks: fibers, barriers, exchanges, and accesses out of bounds turned into errors.
#include "cuda.h"
#include "runtime.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;
extern char __start_cuda_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));

namespace emulator {
namespace {
constexpr std::size_t STACK = 64 * 1024;
enum class State { ready, at_barrier, at_exchange, returned };

struct Fiber {
    ucontext_t context;
    dim3 index;
    State state;
    int line;                        // where it waits
    int barrier_value;               // given to a barrier, then received from it
    unsigned mask;                   // the lanes its exchange waits for
    std::uint64_t given;
    std::uint64_t received[32];
};

std::vector<Fiber> fibers;
unsigned current;
ucontext_t scheduler;
const std::function<void()>* body;
std::string error;
std::vector<char> dynamic_memory;

void stop(const std::string& what) {
    if (error.empty()) error = what;
    setcontext(&scheduler);
}
void run_fiber() {
    (*body)();
    fibers[current].state = State::returned;
    setcontext(&scheduler);
}
void wait() {
    unsigned self = current;
    swapcontext(&fibers[self].context, &scheduler);
}
std::string named(unsigned thread) {
    return "thread " + std::to_string(thread) + " of block (" + std::to_string(blockIdx.x) + ", " +
           std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) + ")";
}
std::string at(int line) { return " at line " + std::to_string(line); }

void poison(std::mt19937& random) {
    // What the last block left, and zeros, must not matter: all bits set is NaN as a float and -1 as an integer.
    int byte = random() % 2 ? 0xff : 0x5a;
    if (__start_cuda_shared) std::memset(__start_cuda_shared, byte, __stop_cuda_shared - __start_cuda_shared);
    std::fill(dynamic_memory.begin(), dynamic_memory.end(), char(byte));
}
// Stacks of a block's threads, kept for the next launch; below them a page that must not be touched.
char* stacks_for(std::size_t threads) {
    static char* stacks = nullptr;
    static std::size_t held = 0;
    if (threads > held) {
        std::size_t page = sysconf(_SC_PAGESIZE);
        if (stacks) munmap(stacks - page, held * STACK + page);
        void* start = mmap(nullptr, threads * STACK + page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED) std::abort();
        mprotect(start, page, PROT_NONE);
        stacks = static_cast<char*>(start) + page;
        held = threads;
    }
    return stacks;
}
void start_block(char* stacks) {
    for (unsigned thread = 0; thread < fibers.size(); ++thread) {
        Fiber& fiber = fibers[thread];
        fiber.state = State::ready;
        fiber.index = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = stacks + thread * STACK;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
    }
}
std::string stuck() {
    unsigned waiting = 0;
    while (fibers[waiting].state == State::returned) ++waiting;
    const Fiber& fiber = fibers[waiting];
    for (unsigned thread = 0; thread < fibers.size(); ++thread) {
        const Fiber& other = fibers[thread];
        if (other.state == State::returned)
            return named(waiting) + " waits" + at(fiber.line) + " for thread " + std::to_string(thread) + ", which has returned";
        if (other.line != fiber.line || other.state != fiber.state)
            return named(waiting) + " waits" + at(fiber.line) + ", but thread " + std::to_string(thread) + at(other.line);
    }
    return named(waiting) + " waits" + at(fiber.line) + " for lanes that never come";
}
// Run the threads in turn until all have returned.
void run_block(std::vector<unsigned>& order, unsigned seed, std::mt19937& random) {
    unsigned left = fibers.size();
    while (left > 0) {
        bool moved = false;
        if (seed > 1) std::shuffle(order.begin(), order.end(), random);
        for (unsigned thread : order) {
            Fiber& fiber = fibers[thread];
            if (fiber.state != State::ready) continue;
            moved = true;
            current = thread;
            threadIdx = fiber.index;
            swapcontext(&scheduler, &fiber.context);
            if (!error.empty()) return;
            if (fibers[thread].state == State::returned) --left;
        }
        if (!moved) {
            error = stuck();
            return;
        }
    }
}
void on_fault(int, siginfo_t* info, void*) {
    char text[160];
    std::snprintf(text, sizeof text, "%s reads or writes outside its arrays or its stack (address %p)",
                  named(current).c_str(), info->si_addr);
    stop(text);
}

// While it lives, a fault of a kernel ends the launch and not the process.
struct FaultGuard {
    std::vector<char> memory = std::vector<char>(1 << 16);
    stack_t old_stack;
    struct sigaction old_segv, old_bus;
    FaultGuard() {
        stack_t stack{};
        stack.ss_sp = memory.data();
        stack.ss_size = memory.size();
        sigaltstack(&stack, &old_stack);
        struct sigaction action{};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(SIGSEGV, &action, &old_segv);
        sigaction(SIGBUS, &action, &old_bus);
    }
    ~FaultGuard() {
        sigaction(SIGSEGV, &old_segv, nullptr);
        sigaction(SIGBUS, &old_bus, nullptr);
        sigaltstack(&old_stack, nullptr);
    }
};
}  // namespace

unsigned lane() { return current % 32; }
void* dynamic_shared() { return dynamic_memory.data() + (-reinterpret_cast<std::uintptr_t>(dynamic_memory.data()) & 15); }
void fail(const char* what, int line) {
    stop(named(current) + ": " + what + at(line));
    std::abort();
}

int barrier(int value, int line) {
    Fiber& self = fibers[current];
    self.state = State::at_barrier;
    self.line = line;
    self.barrier_value = value;
    int total = 0;
    for (const Fiber& fiber : fibers) {
        if (fiber.state != State::at_barrier) {
            wait();
            return fibers[current].barrier_value;
        }
        if (fiber.line != line) fail("threads of a block wait at different barriers", line);
        total += fiber.barrier_value;
    }
    for (Fiber& fiber : fibers) {
        fiber.state = State::ready;
        fiber.barrier_value = total;
    }
    return total;
}

const std::uint64_t* exchange(unsigned mask, std::uint64_t value, int line) {
    unsigned base = current - lane(), self = current;
    if (!(mask >> lane() & 1u)) fail("a thread takes part in an exchange whose mask does not name it", line);
    fibers[self].state = State::at_exchange;
    fibers[self].line = line;
    fibers[self].mask = mask;
    fibers[self].given = value;
    for (unsigned other = 0; other < 32; ++other) {
        if (!(mask >> other & 1u)) continue;
        if (base + other >= fibers.size()) fail("a mask names lanes that the block does not have", line);
        const Fiber& fiber = fibers[base + other];
        if (fiber.state != State::at_exchange || fiber.mask != mask || fiber.line != line) {
            wait();
            return fibers[self].received;
        }
    }
    for (unsigned other = 0; other < 32; ++other) {
        if (!(mask >> other & 1u)) continue;
        fibers[base + other].state = State::ready;
        for (unsigned source = 0; source < 32; ++source)
            if (mask >> source & 1u) fibers[base + other].received[source] = fibers[base + source].given;
    }
    return fibers[self].received;
}

int launch(const unsigned* geometry, std::size_t shared, unsigned seed, char* message, const std::function<void()>& kernel) {
    gridDim = {geometry[0], geometry[1], geometry[2]};
    blockDim = {geometry[3], geometry[4], geometry[5]};
    fibers = std::vector<Fiber>(blockDim.x * blockDim.y * blockDim.z);
    dynamic_memory.assign(shared + 16, 0);
    body = &kernel;
    error.clear();
    std::vector<unsigned> order(fibers.size());
    std::iota(order.begin(), order.end(), 0u);
    if (seed == 1) std::reverse(order.begin(), order.end());
    std::vector<unsigned> blocks(std::size_t(gridDim.x) * gridDim.y * gridDim.z);
    std::iota(blocks.begin(), blocks.end(), 0u);
    std::mt19937 random(seed);
    if (seed == 1) std::reverse(blocks.begin(), blocks.end());
    if (seed > 1) std::shuffle(blocks.begin(), blocks.end(), random);
    char* stacks = stacks_for(fibers.size());
    {
        FaultGuard guard;
        for (unsigned block : blocks) {
            blockIdx = {block % gridDim.x, block / gridDim.x % gridDim.y, block / (gridDim.x * gridDim.y)};
            poison(random);
            start_block(stacks);
            run_block(order, seed, random);
            if (!error.empty()) break;
        }
    }
    std::snprintf(message, MESSAGE, "%s", error.c_str());
    return error.empty() ? 0 : 1;
}
}  // namespace emulator

extern "C" {
// Memory for one array, aligned to 16 bytes, its end as near as that allows to a page that must not be touched.
void* guarded_allocate(std::size_t bytes, void** array) {
    std::size_t page = sysconf(_SC_PAGESIZE), rounded = (bytes + 15) / 16 * 16;
    std::size_t pages = (rounded + page - 1) / page;
    char* start = static_cast<char*>(
        mmap(nullptr, (pages + 2) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (start == MAP_FAILED) return nullptr;
    mprotect(start, page, PROT_NONE);
    mprotect(start + (pages + 1) * page, page, PROT_NONE);
    std::memset(start + page, 0xa5, pages * page);
    *array = start + (pages + 1) * page - rounded;
    return start;
}
// Whether anything around the array was written.
int guarded_free(void* start, void* array, std::size_t bytes) {
    std::size_t page = sysconf(_SC_PAGESIZE), rounded = (bytes + 15) / 16 * 16;
    std::size_t pages = (rounded + page - 1) / page;
    const unsigned char* low = static_cast<unsigned char*>(start) + page;
    const unsigned char* high = low + pages * page;
    const unsigned char* from = static_cast<unsigned char*>(array);
    auto touched = [](unsigned char byte) { return byte != 0xa5; };
    int written = std::any_of(low, from, touched) || std::any_of(from + bytes, high, touched);
    munmap(start, (pages + 2) * page);
    return written;
}
}
