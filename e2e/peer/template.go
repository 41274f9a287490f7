package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// placeholder stands for the name of the schedule.
const placeholder = "NAME"

// template is what becomes of every schedule.
type template struct {
	CronJob batchv1.CronJob       `json:"cronJob"`
	Status  WebhookScheduleStatus `json:"status"`
}

func readTemplate(file string) (*template, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var read template
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	// A field that the types lack would never be written.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	// Of the metadata, the rest belongs to the object that the template was taken from.
	read.CronJob.ObjectMeta = metav1.ObjectMeta{
		Name: read.CronJob.Name, Labels: read.CronJob.Labels, Annotations: read.CronJob.Annotations,
	}
	read.CronJob.Status = batchv1.CronJobStatus{}
	// Times are compared with those that were written, which have no fraction of a second.
	var whole template
	if text, err = json.Marshal(read); err == nil {
		err = json.Unmarshal(text, &whole)
	}
	if err != nil {
		return nil, err
	}
	return &whole, whole.check()
}

// check finds a placeholder where none is replaced, or none where schedules must differ.
func (t *template) check() error {
	if !strings.Contains(t.CronJob.Name, placeholder) {
		return fmt.Errorf("the CronJob's name in the template must hold %s", placeholder)
	}
	var schedule WebhookSchedule
	text, err := json.Marshal(template{CronJob: *t.cronJob(&schedule), Status: t.status(&schedule)})
	if err == nil && strings.Contains(string(text), placeholder) {
		err = fmt.Errorf("the template may hold %s only in metadata and in messages of conditions: %s", placeholder, text)
	}
	return err
}

func (t *template) cronJob(schedule *WebhookSchedule) *batchv1.CronJob {
	cronJob := t.CronJob.DeepCopy()
	cronJob.Namespace = schedule.Namespace
	job := &cronJob.Spec.JobTemplate
	for _, metadata := range []*metav1.ObjectMeta{&cronJob.ObjectMeta, &job.ObjectMeta, &job.Spec.Template.ObjectMeta} {
		metadata.Name = named(metadata.Name, schedule)
		for _, texts := range []map[string]string{metadata.Labels, metadata.Annotations} {
			for key, text := range texts {
				texts[key] = named(text, schedule)
			}
		}
	}
	return cronJob
}

// status is the status from the template, with the transition times of conditions that the schedule has already.
func (t *template) status(schedule *WebhookSchedule) WebhookScheduleStatus {
	status := *t.Status.DeepCopy()
	status.ObservedGeneration = schedule.Generation
	conditions := status.Conditions
	status.Conditions = schedule.Status.DeepCopy().Conditions
	for _, condition := range conditions {
		condition.Message = named(condition.Message, schedule)
		condition.ObservedGeneration = schedule.Generation
		// SetStatusCondition sets it to now if the condition is new or its status changes.
		condition.LastTransitionTime = metav1.Time{}
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	return status
}

func named(text string, schedule *WebhookSchedule) string {
	return strings.ReplaceAll(text, placeholder, schedule.Name)
}
