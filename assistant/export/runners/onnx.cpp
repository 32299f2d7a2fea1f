// Decides on pictures by an ONNX graph: run graph.onnx PICTURE.ppm... (binary PPM, 8 bits, of the graph's size).
// Build: g++ -std=c++17 -O2 run.cpp -I ONNXRUNTIME/include -L ONNXRUNTIME/lib -lonnxruntime -o run
#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

// The pixels of a PPM, RGB row by row; a camera's own can be handed on in the same way.
static std::vector<uint8_t> read(const std::string& path, int64_t height, int64_t width) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  int64_t wide = 0, tall = 0, white = 0;
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
  if (count < 2) throw std::runtime_error("usage: run graph.onnx PICTURE.ppm...");
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "decide");
  Ort::Session session(env, std::filesystem::path(arguments[1]).c_str(), Ort::SessionOptions());
  const auto shape = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<const char*, 1> inputs{"picture"};
  const std::array<const char*, 3> outputs{"map", "score", "verdict"};
  const std::array<const char*, 3> verdicts{"good", "review", "defect"};
  for (int i = 2; i < count; ++i) {
    auto pixels = read(arguments[i], shape[0], shape[1]);
    auto picture = Ort::Value::CreateTensor<uint8_t>(memory, pixels.data(), pixels.size(), shape.data(), shape.size());
    auto found = session.Run(Ort::RunOptions(), inputs.data(), &picture, 1, outputs.data(), outputs.size());
    const auto verdict = *found[2].GetTensorData<int64_t>();
    std::printf("%s\t%.6f\t%s\n", verdicts[verdict], *found[1].GetTensorData<float>(), arguments[i]);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
