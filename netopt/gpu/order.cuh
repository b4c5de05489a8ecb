// Numbers as unsigned integers of the same order, and the least of a warp.

// -0 counts as 0. NaN has no place in the order.
__device__ __forceinline__ unsigned ordered(float value) {
    unsigned bits = __float_as_uint(value + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ float from_ordered(unsigned rank) {
    return __uint_as_float(rank & 0x80000000u ? rank & 0x7fffffffu : ~rank);
}

__device__ __forceinline__ unsigned warp_min(unsigned value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    for (int distance = 16; distance > 0; distance /= 2) value = min(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
#else
    return __reduce_min_sync(0xffffffffu, value);
#endif
}

// The smallest (rank, key) that the lanes of a warp have, as one number: rank above, key below.
__device__ __forceinline__ unsigned long long warp_min_pair(unsigned rank, unsigned key) {
    unsigned least = warp_min(rank);
    unsigned first = warp_min(rank == least ? key : 0xffffffffu);
    return (unsigned long long)least << 32 | first;
}
