// The messages and enums of the API, as generated from protos/.

export * from "./gen/pointsman/v1/admin_service_pb.js";
export * from "./gen/pointsman/v1/classification_pb.js";
export * from "./gen/pointsman/v1/decision_pb.js";
export * from "./gen/pointsman/v1/error_reason_pb.js";
export * from "./gen/pointsman/v1/feedback_service_pb.js";
export * from "./gen/pointsman/v1/message_pb.js";
export * from "./gen/pointsman/v1/registry_pb.js";
export * from "./gen/pointsman/v1/registry_service_pb.js";
export * from "./gen/pointsman/v1/router_service_pb.js";
export * from "./gen/pointsman/v1/usage_pb.js";
export * from "./gen/pointsman/v1/usage_service_pb.js";
export * from "./gen/pointsman/v1/workflow_service_pb.js";
