__device__ __forceinline__ float twice(float value) { return value + value; }
