// Made by `npm run wire-types` from descriptors/v1beta1.json: edit that script, not this file.
// npm @google-cloud/aiplatform 7.4.0, build/protos/protos.json, google.cloud.aiplatform.v1beta1
import type { JsonObject } from '../../model/json.ts';

/*
 * Messages of Agent Engine's v1beta1 API as JSON. Every field may be missing: proto3 leaves out what is empty,
 * and the service sends no more than it has. They are what Google promises, so readers still check what they
 * rely on. A service that is newer than the descriptors has more members in its enums. Type aliases, not
 * interfaces, because those count as JSON objects.
 */

type Blob = {
  /** required */
  mimeType?: string | undefined;
  /** required */
  data?: string | undefined;
};

type CodeExecutionResult = {
  /** required */
  outcome?: CodeExecutionResult_Outcome | undefined;
  output?: string | undefined;
};

type CodeExecutionResult_Outcome =
  | 'OUTCOME_UNSPECIFIED'
  | 'OUTCOME_OK'
  | 'OUTCOME_FAILED'
  | 'OUTCOME_DEADLINE_EXCEEDED'
  | (string & {});

type Content = {
  role?: string | undefined;
  /** required */
  parts?: Part[] | undefined;
};

type DnsPeeringConfig = {
  /** required */
  domain?: string | undefined;
  /** required */
  targetProject?: string | undefined;
  /** required */
  targetNetwork?: string | undefined;
};

type EncryptionSpec = {
  /** required */
  kmsKeyName?: string | undefined;
};

type EnvVar = {
  /** required */
  name?: string | undefined;
  /** required */
  value?: string | undefined;
};

export type EventActions = {
  skipSummarization?: boolean | undefined;
  stateDelta?: JsonObject | undefined;
  artifactDelta?: Record<string, number> | undefined;
  escalate?: boolean | undefined;
  requestedAuthConfigs?: JsonObject | undefined;
  transferAgent?: string | undefined;
};

export type EventMetadata = {
  groundingMetadata?: GroundingMetadata | undefined;
  partial?: boolean | undefined;
  turnComplete?: boolean | undefined;
  interrupted?: boolean | undefined;
  longRunningToolIds?: string[] | undefined;
  branch?: string | undefined;
  customMetadata?: JsonObject | undefined;
  inputTranscription?: Transcription | undefined;
  outputTranscription?: Transcription | undefined;
};

type ExecutableCode = {
  /** required */
  language?: ExecutableCode_Language | undefined;
  /** required */
  code?: string | undefined;
};

type ExecutableCode_Language = 'LANGUAGE_UNSPECIFIED' | 'PYTHON' | (string & {});

type FileData = {
  /** required */
  mimeType?: string | undefined;
  /** required */
  fileUri?: string | undefined;
};

type FunctionCall = {
  id?: string | undefined;
  name?: string | undefined;
  args?: JsonObject | undefined;
  partialArgs?: PartialArg[] | undefined;
  willContinue?: boolean | undefined;
};

type FunctionResponse = {
  id?: string | undefined;
  /** required */
  name?: string | undefined;
  /** required */
  response?: JsonObject | undefined;
  parts?: FunctionResponsePart[] | undefined;
};

type FunctionResponseBlob = {
  /** required */
  mimeType?: string | undefined;
  /** required */
  data?: string | undefined;
  displayName?: string | undefined;
};

type FunctionResponseFileData = {
  /** required */
  mimeType?: string | undefined;
  /** required */
  fileUri?: string | undefined;
  displayName?: string | undefined;
};

type FunctionResponsePart = {
  inlineData?: FunctionResponseBlob | undefined;
  fileData?: FunctionResponseFileData | undefined;
};

export type GenerateMemoriesRequest = {
  vertexSessionSource?: GenerateMemoriesRequest_VertexSessionSource | undefined;
  directContentsSource?: GenerateMemoriesRequest_DirectContentsSource | undefined;
  directMemoriesSource?: GenerateMemoriesRequest_DirectMemoriesSource | undefined;
  /** required */
  parent?: string | undefined;
  disableConsolidation?: boolean | undefined;
  scope?: Record<string, string> | undefined;
};

type GenerateMemoriesRequest_DirectContentsSource = {
  /** required */
  events?: GenerateMemoriesRequest_DirectContentsSource_Event[] | undefined;
};

type GenerateMemoriesRequest_DirectContentsSource_Event = {
  /** required */
  content?: Content | undefined;
};

type GenerateMemoriesRequest_DirectMemoriesSource = {
  /** required */
  directMemories?: GenerateMemoriesRequest_DirectMemoriesSource_DirectMemory[] | undefined;
};

type GenerateMemoriesRequest_DirectMemoriesSource_DirectMemory = {
  /** required */
  fact?: string | undefined;
};

type GenerateMemoriesRequest_VertexSessionSource = {
  /** required */
  session?: string | undefined;
  startTime?: string | undefined;
  endTime?: string | undefined;
};

export type GenerateMemoriesResponse = {
  generatedMemories?: GenerateMemoriesResponse_GeneratedMemory[] | undefined;
};

type GenerateMemoriesResponse_GeneratedMemory = {
  memory?: Memory | undefined;
  action?: GenerateMemoriesResponse_GeneratedMemory_Action | undefined;
};

type GenerateMemoriesResponse_GeneratedMemory_Action =
  | 'ACTION_UNSPECIFIED'
  | 'CREATED'
  | 'UPDATED'
  | 'DELETED'
  | (string & {});

type GroundingChunk = {
  web?: GroundingChunk_Web | undefined;
  retrievedContext?: GroundingChunk_RetrievedContext | undefined;
  maps?: GroundingChunk_Maps | undefined;
};

type GroundingChunk_Maps = {
  uri?: string | undefined;
  title?: string | undefined;
  text?: string | undefined;
  placeId?: string | undefined;
  placeAnswerSources?: GroundingChunk_Maps_PlaceAnswerSources | undefined;
  /** output only */
  route?: GroundingChunk_Maps_Route | undefined;
};

type GroundingChunk_Maps_PlaceAnswerSources = {
  reviewSnippets?: GroundingChunk_Maps_PlaceAnswerSources_ReviewSnippet[] | undefined;
};

type GroundingChunk_Maps_PlaceAnswerSources_ReviewSnippet = {
  reviewId?: string | undefined;
  googleMapsUri?: string | undefined;
  title?: string | undefined;
};

type GroundingChunk_Maps_Route = {
  distanceMeters?: number | undefined;
  duration?: string | undefined;
  encodedPolyline?: string | undefined;
};

type GroundingChunk_RetrievedContext = {
  ragChunk?: RagChunk | undefined;
  uri?: string | undefined;
  title?: string | undefined;
  text?: string | undefined;
  /** output only */
  documentName?: string | undefined;
};

type GroundingChunk_Web = {
  uri?: string | undefined;
  title?: string | undefined;
};

type GroundingMetadata = {
  webSearchQueries?: string[] | undefined;
  searchEntryPoint?: SearchEntryPoint | undefined;
  retrievalQueries?: string[] | undefined;
  groundingChunks?: GroundingChunk[] | undefined;
  groundingSupports?: GroundingSupport[] | undefined;
  /** output only */
  retrievalMetadata?: RetrievalMetadata | undefined;
  /** output only */
  googleMapsWidgetContextToken?: string | undefined;
  sourceFlaggingUris?: GroundingMetadata_SourceFlaggingUri[] | undefined;
};

type GroundingMetadata_SourceFlaggingUri = {
  sourceId?: string | undefined;
  flagContentUri?: string | undefined;
};

type GroundingSupport = {
  segment?: Segment | undefined;
  groundingChunkIndices?: number[] | undefined;
  confidenceScores?: number[] | undefined;
};

export type Memory = {
  expireTime?: string | undefined;
  ttl?: string | undefined;
  name?: string | undefined;
  displayName?: string | undefined;
  description?: string | undefined;
  /** output only */
  createTime?: string | undefined;
  /** output only */
  updateTime?: string | undefined;
  /** required */
  fact?: string | undefined;
  /** required */
  scope?: Record<string, string> | undefined;
};

export type Part = {
  text?: string | undefined;
  inlineData?: Blob | undefined;
  fileData?: FileData | undefined;
  functionCall?: FunctionCall | undefined;
  functionResponse?: FunctionResponse | undefined;
  executableCode?: ExecutableCode | undefined;
  codeExecutionResult?: CodeExecutionResult | undefined;
  videoMetadata?: VideoMetadata | undefined;
  thought?: boolean | undefined;
  thoughtSignature?: string | undefined;
};

type PartialArg = {
  nullValue?: null | undefined;
  numberValue?: number | undefined;
  stringValue?: string | undefined;
  boolValue?: boolean | undefined;
  /** required */
  jsonPath?: string | undefined;
  willContinue?: boolean | undefined;
};

type PscInterfaceConfig = {
  networkAttachment?: string | undefined;
  dnsPeeringConfigs?: DnsPeeringConfig[] | undefined;
};

export type QueryReasoningEngineRequest = {
  /** required */
  name?: string | undefined;
  input?: JsonObject | undefined;
  classMethod?: string | undefined;
};

type RagChunk = {
  text?: string | undefined;
  pageSpan?: RagChunk_PageSpan | undefined;
  fileId?: string | undefined;
  chunkId?: string | undefined;
};

type RagChunk_PageSpan = {
  firstPage?: number | undefined;
  lastPage?: number | undefined;
};

export type ReasoningEngine = {
  name?: string | undefined;
  /** required */
  displayName?: string | undefined;
  description?: string | undefined;
  spec?: ReasoningEngineSpec | undefined;
  /** output only */
  createTime?: string | undefined;
  /** output only */
  updateTime?: string | undefined;
  etag?: string | undefined;
  contextSpec?: ReasoningEngineContextSpec | undefined;
  encryptionSpec?: EncryptionSpec | undefined;
  labels?: Record<string, string> | undefined;
  trafficConfig?: ReasoningEngine_TrafficConfig | undefined;
};

type ReasoningEngine_TrafficConfig = {
  trafficSplitManual?: ReasoningEngine_TrafficConfig_TrafficSplitManual | undefined;
  trafficSplitAlwaysLatest?: ReasoningEngine_TrafficConfig_TrafficSplitAlwaysLatest | undefined;
};

type ReasoningEngine_TrafficConfig_TrafficSplitAlwaysLatest = JsonObject;

type ReasoningEngine_TrafficConfig_TrafficSplitManual = {
  targets?: ReasoningEngine_TrafficConfig_TrafficSplitManual_Target[] | undefined;
};

type ReasoningEngine_TrafficConfig_TrafficSplitManual_Target = {
  /** required */
  runtimeRevisionName?: string | undefined;
  /** required */
  percent?: number | undefined;
};

type ReasoningEngineContextSpec = {
  memoryBankConfig?: ReasoningEngineContextSpec_MemoryBankConfig | undefined;
};

type ReasoningEngineContextSpec_MemoryBankConfig = {
  generationConfig?: ReasoningEngineContextSpec_MemoryBankConfig_GenerationConfig | undefined;
  similaritySearchConfig?: ReasoningEngineContextSpec_MemoryBankConfig_SimilaritySearchConfig | undefined;
  ttlConfig?: ReasoningEngineContextSpec_MemoryBankConfig_TtlConfig | undefined;
};

type ReasoningEngineContextSpec_MemoryBankConfig_GenerationConfig = {
  /** required */
  model?: string | undefined;
};

type ReasoningEngineContextSpec_MemoryBankConfig_SimilaritySearchConfig = {
  /** required */
  embeddingModel?: string | undefined;
};

type ReasoningEngineContextSpec_MemoryBankConfig_TtlConfig = {
  defaultTtl?: string | undefined;
  granularTtlConfig?: ReasoningEngineContextSpec_MemoryBankConfig_TtlConfig_GranularTtlConfig | undefined;
};

type ReasoningEngineContextSpec_MemoryBankConfig_TtlConfig_GranularTtlConfig = {
  createTtl?: string | undefined;
  generateCreatedTtl?: string | undefined;
  generateUpdatedTtl?: string | undefined;
};

type ReasoningEngineSpec = {
  sourceCodeSpec?: ReasoningEngineSpec_SourceCodeSpec | undefined;
  containerSpec?: ReasoningEngineSpec_ContainerSpec | undefined;
  serviceAccount?: string | undefined;
  packageSpec?: ReasoningEngineSpec_PackageSpec | undefined;
  deploymentSpec?: ReasoningEngineSpec_DeploymentSpec | undefined;
  classMethods?: JsonObject[] | undefined;
  agentFramework?: string | undefined;
  identityType?: ReasoningEngineSpec_IdentityType | undefined;
  buildSpec?: ReasoningEngineSpec_BuildSpec | undefined;
};

type ReasoningEngineSpec_BuildSpec = {
  workerPool?: string | undefined;
  serviceAccount?: string | undefined;
};

type ReasoningEngineSpec_ContainerSpec = {
  /** required */
  imageUri?: string | undefined;
};

type ReasoningEngineSpec_DeploymentSpec = {
  env?: EnvVar[] | undefined;
  secretEnv?: SecretEnvVar[] | undefined;
  pscInterfaceConfig?: PscInterfaceConfig | undefined;
  minInstances?: number | undefined;
  maxInstances?: number | undefined;
  resourceLimits?: Record<string, string> | undefined;
  containerConcurrency?: number | undefined;
};

type ReasoningEngineSpec_IdentityType =
  | 'IDENTITY_TYPE_UNSPECIFIED'
  | 'SERVICE_ACCOUNT'
  | 'AGENT_IDENTITY'
  | (string & {});

type ReasoningEngineSpec_PackageSpec = {
  pickleObjectGcsUri?: string | undefined;
  dependencyFilesGcsUri?: string | undefined;
  requirementsGcsUri?: string | undefined;
  pythonVersion?: string | undefined;
};

type ReasoningEngineSpec_SourceCodeSpec = {
  inlineSource?: ReasoningEngineSpec_SourceCodeSpec_InlineSource | undefined;
  developerConnectSource?: ReasoningEngineSpec_SourceCodeSpec_DeveloperConnectSource | undefined;
  pythonSpec?: ReasoningEngineSpec_SourceCodeSpec_PythonSpec | undefined;
  imageSpec?: ReasoningEngineSpec_SourceCodeSpec_ImageSpec | undefined;
};

type ReasoningEngineSpec_SourceCodeSpec_DeveloperConnectConfig = {
  /** required */
  gitRepositoryLink?: string | undefined;
  /** required */
  dir?: string | undefined;
  /** required */
  revision?: string | undefined;
};

type ReasoningEngineSpec_SourceCodeSpec_DeveloperConnectSource = {
  /** required */
  config?: ReasoningEngineSpec_SourceCodeSpec_DeveloperConnectConfig | undefined;
};

type ReasoningEngineSpec_SourceCodeSpec_ImageSpec = {
  buildArgs?: Record<string, string> | undefined;
};

type ReasoningEngineSpec_SourceCodeSpec_InlineSource = {
  /** input only */
  sourceArchive?: string | undefined;
};

type ReasoningEngineSpec_SourceCodeSpec_PythonSpec = {
  version?: string | undefined;
  entrypointModule?: string | undefined;
  entrypointObject?: string | undefined;
  requirementsFile?: string | undefined;
};

type RetrievalMetadata = {
  googleSearchDynamicRetrievalScore?: number | undefined;
};

export type RetrieveMemoriesRequest = {
  similaritySearchParams?: RetrieveMemoriesRequest_SimilaritySearchParams | undefined;
  simpleRetrievalParams?: RetrieveMemoriesRequest_SimpleRetrievalParams | undefined;
  /** required */
  parent?: string | undefined;
  /** required */
  scope?: Record<string, string> | undefined;
};

type RetrieveMemoriesRequest_SimilaritySearchParams = {
  /** required */
  searchQuery?: string | undefined;
  topK?: number | undefined;
};

type RetrieveMemoriesRequest_SimpleRetrievalParams = {
  pageSize?: number | undefined;
  pageToken?: string | undefined;
};

export type RetrieveMemoriesResponse = {
  retrievedMemories?: RetrieveMemoriesResponse_RetrievedMemory[] | undefined;
  nextPageToken?: string | undefined;
};

type RetrieveMemoriesResponse_RetrievedMemory = {
  memory?: Memory | undefined;
  distance?: number | undefined;
};

type SearchEntryPoint = {
  renderedContent?: string | undefined;
  sdkBlob?: string | undefined;
};

type SecretEnvVar = {
  /** required */
  name?: string | undefined;
  /** required */
  secretRef?: SecretRef | undefined;
};

type SecretRef = {
  /** required */
  secret?: string | undefined;
  version?: string | undefined;
};

type Segment = {
  /** output only */
  partIndex?: number | undefined;
  /** output only */
  startIndex?: number | undefined;
  /** output only */
  endIndex?: number | undefined;
  /** output only */
  text?: string | undefined;
};

export type Session = {
  expireTime?: string | undefined;
  /** input only */
  ttl?: string | undefined;
  name?: string | undefined;
  /** output only */
  createTime?: string | undefined;
  /** output only */
  updateTime?: string | undefined;
  displayName?: string | undefined;
  labels?: Record<string, string> | undefined;
  sessionState?: JsonObject | undefined;
  /** required */
  userId?: string | undefined;
};

export type SessionEvent = {
  name?: string | undefined;
  /** required */
  author?: string | undefined;
  content?: Content | undefined;
  /** required */
  invocationId?: string | undefined;
  actions?: EventActions | undefined;
  /** required */
  timestamp?: string | undefined;
  errorCode?: string | undefined;
  errorMessage?: string | undefined;
  eventMetadata?: EventMetadata | undefined;
  rawEvent?: JsonObject | undefined;
};

type Transcription = {
  text?: string | undefined;
  finished?: boolean | undefined;
};

type VideoMetadata = {
  startOffset?: string | undefined;
  endOffset?: string | undefined;
};
