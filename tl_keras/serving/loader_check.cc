// Loads a SavedModel the way TensorFlow Serving does, and answers requests.
//
//     loader_check VERSION_FOLDER REQUESTS_FOLDER
//
// REQUESTS_FOLDER/requests.txt has a line for each request: the signature,
// then `>NAME=FILE` for each input and `<NAME=FILE` for each output, separated
// by tabs. Files hold a serialized TensorProto, those of outputs are written.

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor.pb.h"
#include "tensorflow/core/public/session_options.h"

namespace {

int Fail(const std::string& what, const std::string& why) {
  std::cerr << what << ": " << why << std::endl;
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return Fail("usage", "loader_check VERSION REQUESTS");
  const std::string folder = std::string(argv[2]) + "/";
  tensorflow::SavedModelBundle bundle;
  tensorflow::SessionOptions session_options;
  tensorflow::RunOptions run_options;
  auto status = tensorflow::LoadSavedModel(
      session_options, run_options, argv[1], {"serve"},
      &bundle);
  if (!status.ok()) return Fail("loading", std::string(status.message()));
  const auto& signatures = bundle.meta_graph_def.signature_def();

  std::ifstream requests(folder + "requests.txt");
  std::string line;
  while (std::getline(requests, line)) {
    std::istringstream fields(line);
    std::string name, field;
    std::getline(fields, name, '\t');
    const auto signature = signatures.find(name);
    if (signature == signatures.end()) return Fail(name, "no such signature");
    std::vector<std::pair<std::string, tensorflow::Tensor>> inputs;
    std::vector<std::string> fetched, files;
    while (std::getline(fields, field, '\t')) {
      const auto equals = field.find('=');
      const std::string key = field.substr(1, equals - 1);
      const std::string file = folder + field.substr(equals + 1);
      if (field[0] == '<') {
        fetched.push_back(signature->second.outputs().at(key).name());
        files.push_back(file);
        continue;
      }
      std::ifstream stream(file, std::ios::binary);
      tensorflow::TensorProto proto;
      tensorflow::Tensor tensor;
      if (!proto.ParseFromIstream(&stream) || !tensor.FromProto(proto)) {
        return Fail(file, "not a tensor");
      }
      inputs.emplace_back(signature->second.inputs().at(key).name(), tensor);
    }
    std::vector<tensorflow::Tensor> outputs;
    status = bundle.session->Run(inputs, fetched, {}, &outputs);
    if (!status.ok()) return Fail(name, std::string(status.message()));
    for (size_t i = 0; i < outputs.size(); ++i) {
      tensorflow::TensorProto proto;
      outputs[i].AsProtoField(&proto);
      std::ofstream stream(files[i], std::ios::binary);
      if (!proto.SerializeToOstream(&stream)) return Fail(files[i], "write");
    }
  }
  return 0;
}
