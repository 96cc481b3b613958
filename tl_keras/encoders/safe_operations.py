"""Which SavedModels hold nothing but operations that are known to be harmless.

A SavedModel is a program. TensorFlow has operations that read and write files,
and a module inside of somebody's `.keras` file could hold them. The list here
names what computes on tensors, variables and tables, and nothing else; what is
not on it needs the user's word.

Reference:
    "Using TensorFlow Securely",
    https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md
"""

import pathlib

from tensorflow.core.protobuf import saved_model_pb2

_HARMLESS = frozenset(
    """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual
    ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2
    BatchMatMulV3 BesselI0e BesselI1e Betainc Bincount BitwiseAnd BitwiseOr
    BitwiseXor Bucketize Cast Ceil Cholesky ClipByValue Complex ComplexAbs Conj
    Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp DenseBincount Digamma Div
    DivNoNan Einsum Equal Erf Erfc Erfinv EuclideanNorm Exp Expm1 FFT FFT2D
    FFT3D Floor FloorDiv FloorMod Greater GreaterEqual IFFT IFFT2D IFFT3D IRFFT
    IRFFT2D IRFFT3D Igamma Igammac Imag Inv Invert IsFinite IsInf IsNan L2Loss
    LeftShift Less LessEqual Lgamma LinSpace Log Log1p LogMatrixDeterminant
    LogicalAnd LogicalNot LogicalOr MatMul MatrixBandPart MatrixDeterminant
    MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2
    MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3
    MatrixSolve MatrixTriangularSolve Max Maximum Mean Min Minimum Mod Mul
    MulNoNan Ndtri Neg NextAfter NotEqual Polygamma PopulationCount Pow Prod Qr
    RFFT RFFT2D RFFT3D Range Real RealDiv Reciprocal ReciprocalGrad RightShift
    Rint Round Rsqrt RsqrtGrad SegmentMax SegmentMaxV2 SegmentMean SegmentMin
    SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2
    SelfAdjointEigV2 Sigmoid SigmoidGrad Sign Sin Sinh Softplus SoftplusGrad
    Softsign SoftsignGrad Sqrt SqrtGrad Square SquaredDifference Sub Sum Svd Tan
    Tanh TanhGrad TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin
    UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py Xlogy Zeta

    AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BiasAdd BiasAddGrad BlockLSTM
    BlockLSTMV2 Conv Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D
    Conv3DBackpropFilterV2 Conv3DBackpropInputV2 CudnnRNNV2 CudnnRNNV3
    DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter
    DepthwiseConv2dNativeBackpropInput Dilation2D Elu EluGrad
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel FractionalAvgPool FractionalMaxPool
    FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3
    FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D
    GRUBlockCell InTopK InTopKV2 LRN LRNGrad LSTMBlockCell LeakyRelu
    LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad MaxPoolGrad
    MaxPoolGradV2 MaxPoolGradWithArgmax MaxPoolV2 MaxPoolWithArgmax NthElement
    Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax
    SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits TopK
    TopKV2

    BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs
    BroadcastTo CheckNumerics CheckNumericsV2 Concat ConcatOffset ConcatV2
    ConjugateTranspose Const DeepCopy DepthToSpace Dequantize Diag DiagPart
    DynamicPartition DynamicStitch EditDistance Empty EnsureShape ExpandDims
    Fill Gather GatherNd GatherV2 Identity IdentityN InvertPermutation ListDiff
    LowerBound MirrorPad MirrorPadGrad OneHot OnesLike Pack Pad PadV2
    ParallelConcat ParallelDynamicStitch Placeholder PlaceholderV2
    PlaceholderWithDefault PreventGradient QuantizeAndDequantize
    QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
    QuantizeV2 Rank Reshape ResourceStridedSliceAssign Reverse ReverseSequence
    ReverseV2 Roll ScatterNd ScatterNdNonAliasingAdd Select SelectV2 Shape
    ShapeN Size Slice Snapshot SpaceToBatch SpaceToBatchND SpaceToDepth Split
    SplitV Squeeze StopGradient StridedSlice StridedSliceGrad TensorScatterAdd
    TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
    TensorStridedSliceUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts
    UniqueWithCountsV2 Unpack UnravelIndex UpperBound Where ZerosLike

    DeserializeSparse RaggedBincount RaggedCross RaggedFillEmptyRows
    RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse
    RaggedTensorToTensor RaggedTensorToVariant RaggedTensorToVariantGradient
    SerializeSparse SparseAdd SparseConcat SparseCross SparseCrossHashed
    SparseCrossV2 SparseDenseCwiseAdd SparseDenseCwiseDiv SparseDenseCwiseMul
    SparseFillEmptyRows SparseFillEmptyRowsGrad SparseReduceMax SparseReduceSum
    SparseReorder SparseReshape SparseSegmentMean SparseSegmentMeanGrad
    SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNGrad
    SparseSegmentSqrtNWithNumSegments SparseSegmentSum
    SparseSegmentSumWithNumSegments SparseSlice SparseSoftmax SparseSplit
    SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense

    AsString DecodeBase64 DecodeRaw EncodeBase64 ReduceJoin RegexFullMatch
    RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin
    StringLength StringLower StringNGrams StringSplit StringSplitV2 StringStrip
    StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
    StringToNumber StringUpper Substr UnicodeDecode UnicodeDecodeWithOffsets
    UnicodeEncode UnicodeScript UnicodeTranscode UnsortedSegmentJoin

    CaseFoldUTF8 FastBertNormalize FastWordpieceDetokenize
    FastWordpieceTokenizeWithOffsets NormalizeUTF8 NormalizeUTF8WithOffsetsMap
    PhraseTokenize RegexSplitWithOffsets RoundRobinGenerateMasks RoundRobinTrim
    SentenceFragments SentencepieceDetokenizeOp SentencepieceOp
    SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp
    UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets
    WhitespaceTokenizeWithOffsetsV2 WordpieceTokenizeWithOffsets

    AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation AudioSpectrogram
    CombinedNonMaxSuppression CropAndResize CropAndResizeGradBoxes
    CropAndResizeGradImage DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage
    DecodeJpeg DecodePng DecodeWav DecodeWebP DrawBoundingBoxes
    DrawBoundingBoxesV2 EncodeJpeg EncodePng EncodeWav ExtractGlimpse
    ExtractImagePatches ExtractJpegShape ExtractVolumePatches HSVToRGB
    ImageProjectiveTransformV2 ImageProjectiveTransformV3 Mfcc NonMaxSuppression
    NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
    NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea
    ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad
    ResizeNearestNeighbor ResizeNearestNeighborGrad SampleDistortedBoundingBox
    SampleDistortedBoundingBoxV2 ScaleAndTranslate ScaleAndTranslateGrad

    Multinomial ParameterizedTruncatedNormal RandomGamma RandomPoisson
    RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform
    RandomUniformInt RngReadAndSkip RngSkip StatefulRandomBinomial
    StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
    StatefulUniformFullInt StatefulUniformInt StatelessMultinomial
    StatelessParameterizedTruncatedNormal StatelessRandomBinomial
    StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
    StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
    StatelessRandomUniform StatelessRandomUniformFullInt
    StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle
    StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal

    Assert Case ControlTrigger Enter Exit If LoopCond Merge NextIteration NoOp
    PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf
    StatelessWhile Switch SymbolicGradient While

    EmptyTensorList TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayGradV3
    TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3
    TensorArrayV3 TensorArrayWriteV3 TensorListConcat TensorListConcatLists
    TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListGather TensorListGetItem TensorListLength TensorListPopBack
    TensorListPushBack TensorListPushBackBatch TensorListReserve
    TensorListResize TensorListScatter TensorListScatterIntoExistingList
    TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack

    AnonymousHashTable AnonymousMutableHashTable AssignAddVariableOp
    AssignSubVariableOp AssignVariableOp DestroyResourceOp HashTable HashTableV2
    InitializeTable InitializeTableV2 LookupTableExportV2 LookupTableFind
    LookupTableFindV2 LookupTableImportV2 LookupTableInsertV2 LookupTableSize
    LookupTableSizeV2 MutableDenseHashTableV2 MutableHashTableOfTensorsV2
    MutableHashTableV2 ReadVariableOp ResourceGather ResourceGatherNd
    ResourceScatterAdd ResourceScatterUpdate VarHandleOp VarIsInitializedOp
    VariableShape
    """.split()
)
# Reads the file that it is given: harmless for an asset of the module's own.
_TABLE_FROM_FILE = "InitializeTableFromTextFileV2"
_FILES = (
    "saved_model.pb",
    "fingerprint.pb",
    "keras_metadata.pb",
    "tfhub_module.pb",
)
_FOLDERS = ("variables", "assets", "assets.extra")


def check(folder: pathlib.Path, content: saved_model_pb2.SavedModel):
    """Refuses a SavedModel unless all that it can do is on the list.

    Args:
        folder: Its folder.
        content: What its `saved_model.pb` holds.

    Raises:
        ValueError: If a function of it that can be called holds an operation
            that is not on the list; if it takes a table from a file that is
            not its own; if it is of the format of TensorFlow 1, whose loading
            runs operations of its own; or if its folder holds other files.
    """
    problem = _problem(folder, content)
    if problem:
        raise ValueError(
            f"The file holds a SavedModel that {problem}. A SavedModel is a "
            "program, and may read and write files. If you trust where the "
            "file comes from, pass `trust_modules=True` (--trust_modules)."
        )


def _problem(folder, content) -> str | None:
    strange = [
        path.name
        for path in folder.iterdir()
        if path.name not in (_FOLDERS if path.is_dir() else _FILES)
    ]
    if strange:
        return f"has files of another kind: {sorted(strange)[:5]}"
    if len(content.meta_graphs) != 1:
        return f"has {len(content.meta_graphs)} graphs rather than one"
    [graph] = content.meta_graphs
    if not graph.object_graph_def.nodes:
        return "is of the format of TensorFlow 1"
    for asset in graph.asset_file_def:
        path = (folder / "assets" / asset.filename).resolve()
        if not path.is_relative_to((folder / "assets").resolve()):
            return f"reads a file outside of its folder: {asset.filename!r}"
    operations = set()
    for function in _callable_functions(graph):
        for node in function.node_def:
            if node.op != _TABLE_FROM_FILE:
                operations.add(node.op)
            elif not _reads_an_asset(node, function, graph.object_graph_def):
                return "fills a table from a file that is not its own"
    known = {f.signature.name for f in graph.graph_def.library.function}
    strange = sorted(operations - _HARMLESS - known)
    if strange:
        return f"has operations that are not known to be harmless: {strange}"
    return None


def _callable_functions(graph) -> list:
    """The functions that loading, calling or differentiating can run.

    The functions that save and restore variables are called by none of them:
    TensorFlow restores an object graph by code of its own.
    """
    library = graph.graph_def.library
    functions = {f.signature.name: f for f in library.function}
    waiting = list(graph.object_graph_def.concrete_functions)
    waiting += [g.gradient_func for g in library.gradient]
    waiting += [g.gradient_func for g in library.registered_gradients]
    found = {}
    while waiting:
        name = waiting.pop()
        if name in found or name not in functions:
            continue
        found[name] = functions[name]
        for node in functions[name].node_def:
            waiting.append(node.op)
            for attribute in node.attr.values():
                waiting.append(attribute.func.name)
                waiting += [one.name for one in attribute.list.func]
    return list(found.values())


def _reads_an_asset(node, function, objects) -> bool:
    """Whether the file of a table is an asset that the function captured."""
    concrete = objects.concrete_functions.get(function.signature.name)
    arguments = [argument.name for argument in function.signature.input_arg]
    if concrete is None or node.input[1] not in arguments:
        return False
    first_captured = len(arguments) - len(concrete.bound_inputs)
    position = arguments.index(node.input[1]) - first_captured
    if position < 0:
        return False
    bound = objects.nodes[concrete.bound_inputs[position]]
    return bound.WhichOneof("kind") == "asset"
