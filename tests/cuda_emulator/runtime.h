// What the generated launchers call.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace emulator {
constexpr std::size_t MESSAGE = 512;
// Run a kernel; 0, or 1 with a message of what went wrong. geometry: grid x, y, z, block x, y, z. seed: the order of
// threads and blocks, 0 ascending, 1 descending, others at random.
int launch(const unsigned* geometry, std::size_t shared, unsigned seed, char* message, const std::function<void()>& kernel);

// The type of a kernel's parameter as one of numpy's characters, "*" before it for a pointer, "const" before that.
template <class T> struct Code;
template <> struct Code<bool> { static constexpr const char* text = "?"; };
template <> struct Code<signed char> { static constexpr const char* text = "b"; };
template <> struct Code<unsigned char> { static constexpr const char* text = "B"; };
template <> struct Code<int> { static constexpr const char* text = "i"; };
template <> struct Code<unsigned> { static constexpr const char* text = "I"; };
template <> struct Code<long long> { static constexpr const char* text = "q"; };
template <> struct Code<unsigned long long> { static constexpr const char* text = "Q"; };
template <> struct Code<float> { static constexpr const char* text = "f"; };
template <> struct Code<double> { static constexpr const char* text = "d"; };
template <class T> std::string code() {
    using Value = std::remove_cv_t<std::remove_pointer_t<T>>;
    std::string text = Code<Value>::text;
    if constexpr (std::is_pointer_v<T>) {
        text = "*" + text;
        if constexpr (std::is_const_v<std::remove_pointer_t<T>>) text = "const" + text;
    }
    return text;
}
}  // namespace emulator
