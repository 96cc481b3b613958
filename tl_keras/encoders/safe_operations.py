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
import re

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf import struct_pb2

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
    Conv3DBackpropFilterV2 Conv3DBackpropInputV2 CudnnRNNBackpropV2
    CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3 DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput
    Dilation2D Elu EluGrad FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
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
    SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumGrad
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

    AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DestroyResourceOp
    HashTable HashTableV2 InitializeTable InitializeTableV2 LookupTableExportV2
    LookupTableFind LookupTableFindV2 LookupTableImportV2 LookupTableInsertV2
    LookupTableRemoveV2 LookupTableSize LookupTableSizeV2
    MutableDenseHashTableV2 MutableHashTableOfTensorsV2 MutableHashTableV2
    ReadVariableOp ResourceGather ResourceGatherNd ResourceScatterAdd
    ResourceScatterNdUpdate ResourceScatterUpdate VarHandleOp VarIsInitializedOp
    VariableShape
    """.split()
)
# Reads the file that it is given: harmless for an asset of the module's own.
_TABLE_FROM_FILE = "InitializeTableFromTextFileV2"
_PLAIN_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# What a function that saves and restores variables may do besides.
_SAVING = {
    "DisableCopyOnRead",
    "MergeV2Checkpoints",
    "RestoreV2",
    "SaveV2",
    "ShardedFilename",
}
# Kinds of objects that TensorFlow makes by a class of that registered name.
_REGISTERED = {
    ("constant", "tf.TrackableConstant"),
    ("resource", "tf.StaticHashTable"),
}
_REGISTERED_TYPE = struct_pb2.TypeSpecProto.REGISTERED_TYPE_SPEC
# Kinds of objects to the attributes that loading may set on them.
_ATTRIBUTES = {
    "function": re.compile(r"trace_\d+"),
    "bare_concrete_function": re.compile(r"capture_\d+"),
    "resource": re.compile(
        "_initializer|_create_resource|_initialize|_destroy_resource"
    ),
}


def check(folder: pathlib.Path, content: saved_model_pb2.SavedModel):
    """Refuses a SavedModel unless all that it can do is on the list.

    Args:
        folder: Its folder.
        content: What its `saved_model.pb` holds.

    Raises:
        ValueError: If a function of it holds an operation that is not on the
            list; if it takes a table from a file that is not its own; if its
            objects are not put together as TensorFlow saves them; or if it is
            of the format of TensorFlow 1, whose loading runs operations of its
            own.
    """
    problem = _problem(folder, content)
    if problem:
        raise ValueError(
            f"The file holds a SavedModel that {problem}. A SavedModel is a "
            "program, and may read and write files. If you trust where the "
            "file comes from, pass `trust_modules=True` (--trust_modules)."
        )


def _problem(folder, content) -> str | None:
    if len(content.meta_graphs) != 1:
        return f"has {len(content.meta_graphs)} graphs rather than one"
    [graph] = content.meta_graphs
    if not graph.object_graph_def.nodes:
        return "is of the format of TensorFlow 1"
    for asset in graph.asset_file_def:
        path = (folder / "assets" / asset.filename).resolve()
        if not path.is_relative_to((folder / "assets").resolve()):
            return f"reads a file outside of its folder: {asset.filename!r}"
    problem = _problem_of_objects(graph.object_graph_def)
    if problem:
        return problem
    functions = _Functions(graph)
    if len(functions.all) < len(graph.graph_def.library.function):
        return "has two functions of one name"
    operations = set()
    for function in functions.runnable():
        for node in function.node_def:
            if node.op != _TABLE_FROM_FILE:
                operations.add(node.op)
            elif not functions.is_asset(function, _input(node, 1)):
                return "fills a table from a file that is not its own"
    strange = sorted(operations - _HARMLESS - set(functions.all))
    if strange:
        return f"has operations that are not known to be harmless: {strange}"
    return None


def _problem_of_objects(objects) -> str | None:
    """What of the objects could make loading do something else."""
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        name = node.registered_name
        if name and (kind, name) not in _REGISTERED:
            return f"makes an object of kind {kind!r} by the class {name!r}"
        if kind == "user_object":
            continue
        # An attribute could put something in the place of what was checked.
        allowed = _ATTRIBUTES.get(kind)
        for child in node.children:
            if not (allowed and allowed.fullmatch(child.local_name)):
                return (
                    f"sets {child.local_name!r} of an object of kind {kind!r}"
                )
    if _REGISTERED_TYPE in _types_within(objects):
        return "takes or gives values of a class that it names"
    return None


def _types_within(message) -> set[int]:
    """The kinds of all type specs within a message, however deep."""
    if isinstance(message, struct_pb2.TypeSpecProto):
        return {message.type_spec_class} | _types_within(message.type_state)
    found = set()
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            of_values = field.message_type.fields_by_name["value"]
            if of_values.type == field.TYPE_MESSAGE:
                value = value.values()
            else:
                continue
        elif not hasattr(value, "add"):
            value = [value]
        for one in value:
            found |= _types_within(one)
    return found


class _Functions:
    """The functions of a SavedModel, and who calls which.

    Attributes:
        all: Name to function, as the file has it.
    """

    def __init__(self, graph):
        self.all = {
            f.signature.name: f for f in graph.graph_def.library.function
        }
        self._objects = graph.object_graph_def
        self._of_objects = _named_by_objects(graph.object_graph_def)
        self._in_words = _named_in_words(graph)
        self._of_saver = {
            name
            for name in _named_by_saver(graph) - self._in_words
            if name in self.all and self._only_saves(name)
        }
        self._gradients = {
            gradient.gradient_func
            for gradients in (
                graph.graph_def.library.gradient,
                graph.graph_def.library.registered_gradients,
            )
            for gradient in gradients
        }

    def _only_saves(self, name) -> bool:
        allowed = _HARMLESS | _SAVING | set(self.all)
        return all(node.op in allowed for node in self.all[name].node_def)

    def runnable(self) -> list:
        """Those that loading, calling or differentiating can run.

        That is all but what saves and restores variables, and is named by
        nothing else: TensorFlow restores an object graph by code of its own.
        """
        waiting = set(self.all) - self._of_saver
        waiting |= self._of_objects | self._gradients
        found = {}
        while waiting:
            name = waiting.pop()
            if name in found or name not in self.all:
                continue
            found[name] = self.all[name]
            for node in found[name].node_def:
                waiting |= {called for called, _ in _calls(node)}
        return list(found.values())

    def is_asset(self, function, tensor: str, above=()) -> bool:
        """Whether a tensor within a function is an asset, whoever calls it.

        Args:
            function: A function of the SavedModel.
            tensor: What an operation in it reads.
            above: Names of the functions from which the question comes.
        """
        name = function.signature.name
        arguments = [argument.name for argument in function.signature.input_arg]
        elsewhere = self._gradients | self._in_words
        if tensor not in arguments or name in above or name in elsewhere:
            return False
        position = arguments.index(tensor)
        is_root = name in self._of_objects
        if is_root and not self._captures_asset(name, len(arguments), position):
            return False
        callers = [
            (caller, _input(node, position) if is_plain else "")
            for caller in self.runnable()
            for node in caller.node_def
            for called, is_plain in _calls(node)
            if called == name
        ]
        return bool(is_root or callers) and all(
            self.is_asset(caller, given, (*above, name))
            for caller, given in callers
        )

    def _captures_asset(self, name, num_arguments, position) -> bool:
        concrete = self._objects.concrete_functions.get(name)
        if concrete is None:
            return False
        captured = position - num_arguments + len(concrete.bound_inputs)
        # TensorFlow pairs them from the first on, we from the last.
        if captured < 0 or len(concrete.bound_inputs) > num_arguments:
            return False
        if not all(map(self._is_one_tensor, concrete.bound_inputs)):
            return False
        bound = self._objects.nodes[concrete.bound_inputs[captured]]
        return bound.WhichOneof("kind") == "asset"

    def _is_one_tensor(self, number) -> bool:
        """Whether an object that a function captures stands for one tensor."""
        node = self._objects.nodes[number]
        kind = node.WhichOneof("kind")
        if kind != "resource":
            return kind in ("asset", "constant", "variable")
        makers = [
            self._objects.nodes[child.node_id]
            for child in (*node.children, *node.dependencies)
            if child.local_name == "_create_resource"
        ]
        names = [
            name
            for maker in makers
            for name in (
                *maker.function.concrete_functions,
                maker.bare_concrete_function.concrete_function_name,
            )
            if name
        ]
        outputs = [
            self._objects.concrete_functions[name].output_signature
            for name in names
            if name in self._objects.concrete_functions
        ]
        return 0 < len(names) == len(outputs) and all(
            output.tensor_spec_value.dtype == types_pb2.DT_RESOURCE
            for output in outputs
        )


def _named_by_objects(objects) -> set[str]:
    """The functions that TensorFlow looks up while it loads the objects."""
    named = set(objects.concrete_functions)
    for node in objects.nodes:
        named |= set(node.function.concrete_functions)
        named.add(node.bare_concrete_function.concrete_function_name)
        named.add(node.captured_tensor.concrete_function)
    return named


def _named_in_words(graph) -> set[str]:
    """The functions that TensorFlow may choose while it optimises a graph.

    That are implementations of one interface, which take each other's place,
    and what a text among the attributes names.
    """
    functions = graph.graph_def.library.function
    words = {
        attribute.s.decode(errors="replace")
        for function in functions
        for holder in (function, *function.node_def)
        for attribute in holder.attr.values()
    }
    return {
        function.signature.name
        for function in functions
        if function.signature.name in words or function.attr["api_implements"].s
    }


def _named_by_saver(graph) -> set[str]:
    """The functions by which the graph saves and restores its variables."""
    ends = {
        tensor.split(":")[0]
        for tensor in (
            graph.saver_def.save_tensor_name,
            graph.saver_def.restore_op_name,
        )
    }
    return {
        called
        for node in graph.graph_def.node
        if node.name in ends
        for called, _ in _calls(node)
    }


def _calls(node):
    """The functions that a node names, and whether it hands on its inputs."""
    yield node.op, True
    for name, attribute in node.attr.items():
        is_plain = name == "f" and node.op in _PLAIN_CALLS
        for function in (attribute.func, *attribute.list.func):
            yield function.name, is_plain
            yield from _calls_within(function)


def _calls_within(function):
    for attribute in function.attr.values():
        for inner in (attribute.func, *attribute.list.func):
            if inner.name:
                yield inner.name, False
                yield from _calls_within(inner)


def _input(node, position) -> str:
    """What a node reads at a position, "" if nothing."""
    return node.input[position] if position < len(node.input) else ""
