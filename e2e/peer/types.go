// +kubebuilder:object:generate=true
package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 object paths=.

func addToScheme(scheme *runtime.Scheme) error {
	version := schema.GroupVersion{Group: "postern.dev", Version: "v1alpha1"}
	scheme.AddKnownTypes(version, &WebhookSchedule{}, &WebhookScheduleList{})
	metav1.AddToGroupVersion(scheme, version)
	return nil
}

// WebhookSchedule is as crds/webhookschedules.yaml defines it, without the fields that no schedule of the bench has.
//
// +kubebuilder:object:root=true
type WebhookSchedule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Spec              WebhookScheduleSpec   `json:"spec"`
	Status            WebhookScheduleStatus `json:"status,omitzero"`
}

// WebhookScheduleList is a list of schedules.
//
// +kubebuilder:object:root=true
type WebhookScheduleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []WebhookSchedule `json:"items"`
}

type WebhookScheduleSpec struct {
	Schedule                string          `json:"schedule"`
	TimeZone                string          `json:"timeZone"`
	Suspend                 bool            `json:"suspend"`
	ConcurrencyPolicy       string          `json:"concurrencyPolicy"`
	StartingDeadlineSeconds int32           `json:"startingDeadlineSeconds"`
	Target                  Target          `json:"target"`
	Body                    *Body           `json:"body,omitempty"`
	Signing                 Signing         `json:"signing"`
	Delivery                DeliveryOptions `json:"delivery"`
	History                 History         `json:"history"`
}

type WebhookScheduleStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Tier               string             `json:"tier,omitempty"`
	ResolvedSchedule   string             `json:"resolvedSchedule,omitempty"`
	NextDeliveryTime   *metav1.Time       `json:"nextDeliveryTime,omitempty"`
	AccountedUntil     *metav1.Time       `json:"accountedUntil,omitempty"`
}

type Target struct {
	URLFrom SecretKey `json:"urlFrom"`
	Method  string    `json:"method"`
	TLS     *TLS      `json:"tls,omitempty"`
}

type TLS struct {
	CABundleFrom SecretKey `json:"caBundleFrom"`
}

type Body struct {
	ContentType string `json:"contentType"`
	Inline      string `json:"inline"`
}

type Signing struct {
	Scheme   string      `json:"scheme"`
	KeysFrom []SecretKey `json:"keysFrom,omitempty"`
}

type DeliveryOptions struct {
	TimeoutSeconds       int32   `json:"timeoutSeconds"`
	Attempts             int32   `json:"attempts"`
	Backoff              Backoff `json:"backoff"`
	TotalDeadlineSeconds int32   `json:"totalDeadlineSeconds"`
}

type Backoff struct {
	MinSeconds int32 `json:"minSeconds"`
	MaxSeconds int32 `json:"maxSeconds"`
}

type History struct {
	Successful int32 `json:"successful"`
	Failed     int32 `json:"failed"`
}

type SecretKey struct {
	SecretKeyRef KeyRef `json:"secretKeyRef"`
}

type KeyRef struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}
