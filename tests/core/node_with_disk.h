// Node a has a disk, which the test plays, and is linked with node b, which has none.
#pragma once

#include "gtest/gtest.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {

class NodeWithDisk : public testing::Test {
 protected:
  NodeWithDisk() {
    NodeOptions options = Mesh::Options("a");
    options.disk = true;
    a_ = mesh_.Add(options);
    b_ = mesh_.Add("b");
    mesh_.Connect(a_, b_);
    Save();
    EXPECT_TRUE(mesh_[a_].ready());
  }
  // All that a has is on its disk.
  void Save() {
    while (mesh_[a_].Take().unsaved) SavePiece();
  }
  void SavePiece() {
    mesh_[a_].TakeUnsaved();
    mesh_[a_].OnSaved(mesh_.now(a_));
    mesh_.Settle();
  }
  bool BHearsThatACovers(const Dot& dot) {
    const auto& members = mesh_[b_].GetStatus().members;
    return members.at(0).report && members.at(0).report->Covers(dot);
  }

  Mesh mesh_;
  int a_ = 0, b_ = 0;
};

}  // namespace leasemap::core
