package main

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type WebhookScheduleStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Tier               string             `json:"tier,omitempty"`
	ResolvedSchedule   string             `json:"resolvedSchedule,omitempty"`
	NextDeliveryTime   *metav1.Time       `json:"nextDeliveryTime,omitempty"`
	LastDelivery       *DeliveryStatus    `json:"lastDelivery,omitempty"`
	RecentDeliveries   []DeliveryStatus   `json:"recentDeliveries,omitempty"`
	AccountedUntil     *metav1.Time       `json:"accountedUntil,omitempty"`
	LastTrigger        *TriggerStatus     `json:"lastTrigger,omitempty"`
	Checked            *CheckStatus       `json:"checked,omitempty"`
	PausedGeneration   *int64             `json:"pausedGeneration,omitempty"`
	HeldUntil          *metav1.Time       `json:"heldUntil,omitempty"`
	SigningKeys        []SigningKeyStatus `json:"signingKeys,omitempty"`
	LastRotation       *RotationStatus    `json:"lastRotation,omitempty"`
}

type RotationStatus struct {
	Value string      `json:"value"`
	Time  metav1.Time `json:"time"`
}

type TriggerStatus struct {
	Value string      `json:"value"`
	ID    string      `json:"id"`
	Time  metav1.Time `json:"time"`
}

type CheckStatus struct {
	Generation      int64        `json:"generation"`
	Value           string       `json:"value,omitempty"`
	Time            metav1.Time  `json:"time"`
	Result          string       `json:"result"`
	Reason          string       `json:"reason"`
	Detail          string       `json:"detail,omitempty"`
	Target          string       `json:"target,omitempty"`
	KeyFingerprints []string     `json:"keyFingerprints,omitempty"`
	Repeats         int64        `json:"repeats"`
	RepeatAt        *metav1.Time `json:"repeatAt,omitempty"`
}

type DeliveryStatus struct {
	ID              string       `json:"id,omitempty"`
	ScheduledTime   *metav1.Time `json:"scheduledTime,omitempty"`
	Generation      *int64       `json:"generation,omitempty"`
	StartedAt       *metav1.Time `json:"startedAt,omitempty"`
	Outcome         string       `json:"outcome"`
	Reason          string       `json:"reason"`
	Detail          string       `json:"detail,omitempty"`
	HTTPStatus      int32        `json:"httpStatus,omitempty"`
	Attempts        int32        `json:"attempts"`
	LatencyMs       *int64       `json:"latencyMs,omitempty"`
	Target          string       `json:"target,omitempty"`
	KeyFingerprints []string     `json:"keyFingerprints,omitempty"`
}

type SigningKeyStatus struct {
	Fingerprint string       `json:"fingerprint"`
	State       string       `json:"state"`
	SecretName  string       `json:"secretName,omitempty"`
	PublicKey   string       `json:"publicKey,omitempty"`
	CreatedAt   *metav1.Time `json:"createdAt,omitempty"`
	RetiresAt   *metav1.Time `json:"retiresAt,omitempty"`
}
