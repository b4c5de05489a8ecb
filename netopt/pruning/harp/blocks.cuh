// What the mask step's kernels share: pieces of layers, read four elements at a time, and sums over a block.
//
// A piece is the part of one layer inside one tile of TILE consecutive elements, so groups of four are aligned whatever
// the layers' sizes; a group that sticks out of its piece belongs to two.

constexpr int THREADS = 256;
constexpr int GROUPS = 4;  // of four elements, a thread; all are loaded before the first is used
constexpr long long TILE = 4LL * GROUPS * THREADS;
constexpr int WARPS = THREADS / 32;
constexpr unsigned ALL_LANES = 0xffffffffu;

struct Four {
    unsigned value[4];
};

// Four elements from `first` on, those from `count` on as 0; in one access where the array begins at 16 bytes.
__device__ inline Four read_four(const unsigned* values, long long first, long long count) {
    Four four = {{0u, 0u, 0u, 0u}};
    if (first + 4 <= count && (reinterpret_cast<unsigned long long>(values) & 15u) == 0) {
        const uint4 group = *reinterpret_cast<const uint4*>(values + first);
        four.value[0] = group.x;
        four.value[1] = group.y;
        four.value[2] = group.z;
        four.value[3] = group.w;
    } else {
        for (int k = 0; k < 4; ++k)
            if (first + k < count) four.value[k] = values[first + k];
    }
    return four;
}

// First element of a thread's group in the tile of the piece that begins at `begin`.
__device__ inline long long group_start(long long begin, int group) {
    return begin / TILE * TILE + 4LL * (group * THREADS + (int)threadIdx.x);
}

// Sum of `value` over the threads before this one; `total` gets the sum over all. `shared` holds WARPS + 1 numbers.
__device__ inline unsigned sum_before(unsigned value, unsigned* shared, unsigned* total) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    unsigned inclusive = value;
    for (int step = 1; step < 32; step *= 2) {
        const unsigned other = __shfl_up_sync(ALL_LANES, inclusive, step);
        if (lane >= step) inclusive += other;
    }
    if (lane == 31) shared[warp] = inclusive;
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned sum = 0;
        for (int k = 0; k < WARPS; ++k) {
            const unsigned own = shared[k];
            shared[k] = sum;
            sum += own;
        }
        shared[WARPS] = sum;
    }
    __syncthreads();
    const unsigned before = shared[warp] + inclusive - value;
    *total = shared[WARPS];
    __syncthreads();  // `shared` may be used again
    return before;
}
