// Decides on pictures by an OpenVINO graph: run graph.xml PICTURE.ppm... (binary PPM, 8 bits, of the graph's size).
// Build: g++ -std=c++17 -O2 run.cpp -I OPENVINO/include -L OPENVINO/lib -lopenvino -o run
#include <openvino/openvino.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

// The pixels of a PPM, RGB row by row; a camera's own can be handed on in the same way.
static std::vector<uint8_t> read(const std::string& path, size_t height, size_t width) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  size_t wide = 0, tall = 0, white = 0;
  if (!(file >> kind >> wide >> tall >> white) || kind != "P6" || white != 255)
    throw std::runtime_error(path + " is no binary PPM of 8 bits");
  if (wide != width || tall != height) throw std::runtime_error(path + " has another size than the graph takes");
  file.get();
  std::vector<uint8_t> pixels(height * width * 3);
  if (!file.read(reinterpret_cast<char*>(pixels.data()), pixels.size()))
    throw std::runtime_error(path + " is cut short");
  return pixels;
}

int main(int count, char** arguments) try {
  if (count < 2) throw std::runtime_error("usage: run graph.xml PICTURE.ppm...");
  ov::Core core;
  auto compiled = core.compile_model(arguments[1], "CPU", ov::hint::inference_precision(ov::element::f32));
  auto request = compiled.create_infer_request();
  const ov::Shape shape = compiled.input().get_shape();
  const std::array<const char*, 3> verdicts{"good", "review", "defect"};
  for (int i = 2; i < count; ++i) {
    auto pixels = read(arguments[i], shape[0], shape[1]);
    request.set_input_tensor(ov::Tensor(ov::element::u8, shape, pixels.data()));
    request.infer();
    const auto verdict = request.get_tensor("verdict").data<int64_t>()[0];
    std::printf("%s\t%.6f\t%s\n", verdicts[verdict], request.get_tensor("score").data<float>()[0], arguments[i]);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
